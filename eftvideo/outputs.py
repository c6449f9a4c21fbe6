"""Where the results of a run go; refused before any work is done."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from eftvideo.config import DrawConfig
from eftvideo.errors import VideoWriteError
from eftvideo.files import make_folder
from eftvideo.results.result import Result
from eftvideo.results.result_file import save_result


@dataclass(frozen=True)
class Outputs:
    """The files to be written; None: not this one."""

    npz: Path | None = None
    overlay: Path | None = None
    report_dir: Path | None = None

    @classmethod
    def prepare(cls, clip: Path, out_dir: str | Path | None, cfg: DrawConfig) -> Outputs:
        """Make the folder, and try it.

        Raises:
            VideoWriteError: it cannot be made or written.
        """
        if out_dir is None:
            return cls()
        out = make_folder(Path(out_dir))
        if not os.access(out, os.W_OK | os.X_OK):
            raise VideoWriteError(f"cannot write to folder {out}: choose another with -o")
        npz, overlay = out / f"{clip.stem}.npz", out / f"{clip.stem}_overlay.mp4"
        report = out / f"{clip.stem}_report.html"
        for path, wanted in ((npz, True), (overlay, cfg.enabled), (report, cfg.report)):
            if wanted and path.is_dir():
                raise VideoWriteError(f"{path} is a folder: remove it, or choose another -o")
        return cls(npz, overlay if cfg.enabled else None, out if cfg.report else None)

    def save(self, result: Result) -> None:
        """Write the npz, if it is wanted.

        Raises:
            VideoWriteError: it cannot be written.
        """
        if self.npz is not None:
            save_result(self.npz, result)
