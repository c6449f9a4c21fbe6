"""3D people (SMPL) out of an ordinary video.

>>> import eftvideo
>>> result = eftvideo.run_video("clip.mp4", out_dir="out")  # doctest: +SKIP
>>> result.track_ids, result.transl.shape  # doctest: +SKIP
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as _version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eftvideo.config import RunConfig as RunConfig
    from eftvideo.pipeline import run_video as run_video
    from eftvideo.results.result import Result as Result
    from eftvideo.results.result_file import load_result as load_result

try:
    __version__ = _version("eftvideo")
except PackageNotFoundError:  # a checkout on the path that is not installed
    __version__ = "0+unknown"

_HOMES = {
    "RunConfig": "eftvideo.config",
    "run_video": "eftvideo.pipeline",
    "Result": "eftvideo.results.result",
    "load_result": "eftvideo.results.result_file",
}
__all__ = ["Result", "RunConfig", "__version__", "load_result", "run_video"]


def __getattr__(name: str) -> Any:
    # Names are imported when first used, so that `import eftvideo` does not import torch.
    if name in _HOMES:
        import importlib

        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'eftvideo' has no attribute {name!r}")
