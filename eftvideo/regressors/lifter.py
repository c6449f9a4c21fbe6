"""The default regressor: a person's keypoints and landmarks, now and around now, to SMPL.

It never sees pixels. Keypoints become viewing rays, turned into a virtual camera that looks
straight at the crop, so that the same pose looks the same wherever it stands in the picture; the
answer is turned back. The landmark network saw the crop alone: its metres are in that camera's axes
as they are. Beside the frame itself it sees the person at a few times before and after (zero where
unknown), which settles most of the depth that one frame leaves open. It is asked about the mirror
image too, and the mean of both answers counts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from eftvideo.config import CropConfig
from eftvideo.errors import CheckpointMismatchError, ConfigError
from eftvideo.geometry import camera
from eftvideo.geometry.rotations import six_d_to_matrix
from eftvideo.regressors import _lifter_evidence as evidence
from eftvideo.regressors import _own_weights as own_weights
from eftvideo.regressors._lifter_mirror import PER_LOOK, mirrored_layout, num_inputs
from eftvideo.regressors._protocol import RegressorModule
from eftvideo.regressors._raw import NUM_RAW, RAW_SIZES
from eftvideo.types import Crops, Prediction, SmplParams
from eftvideo.weights.locate import WeightSpec, load_safetensors

PELVIS_REST_M = (0.0, -0.2233, 0.0282)
"""The pelvis of the shipped body at rest, the same for all betas: the network places the pelvis."""


@dataclass(frozen=True)
class LifterConfig:
    """The network's dimensions; stored in the metadata of its weights file."""

    width: int = 768
    hidden: int = 1024
    num_blocks: int = 6
    context_offsets_s: tuple[float, ...] = tuple(
        k / 30.0 for k in (-30, -20, -14, -10, -5, -2, -1, 1, 2, 5, 10, 14, 20, 30)
    )
    canonical: bool = True
    """Whether keypoints are turned into the virtual camera; False: as they are in the crop."""
    both_sides: bool = True
    """Whether the mirror image is asked about too; not in training, where half are mirrored."""
    landmarks: bool = True
    """Whether it looks at landmarks; where a crop has none they are zeros."""


class Block(nn.Module):
    """x + MLP(LayerNorm(x))."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, hidden)
        self.down = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """(..., width) to the same."""
        return self.forward_each(x, {})

    def forward_each(self, x: Tensor, own: own_weights.Own) -> Tensor:
        """(N, S, width) to the same, where each of the N may have layers of its own."""
        y = own_weights.linear(self.up, own_weights.norm(self.norm, x, own), own)
        return x + own_weights.linear(self.down, F.gelu(y), own)


class Model(RegressorModule):
    """See the module's text; `Regressor` is its interface."""

    shape_gain: Tensor
    shape_offset: Tensor
    mirror_input: Tensor
    mirror_input_sign: Tensor
    mirror_raw: Tensor
    mirror_raw_sign: Tensor
    needs: Literal["keypoints", "image"] = "keypoints"
    crop_size_px = 0
    crop = CropConfig()
    spec = WeightSpec(
        file="lifter.safetensors",
        sha256="435c3f49662b463543cd6a4822b36d6d5fda37daa76790128294aa747645f378",
        licence="AGPL-3.0-or-later",
        origin="trained by eftvideo on CMU mocap (weights/README.md)",
    )
    betas_of: Literal["neutral", "smpl"] = "neutral"
    rates: Mapping[str, float] = {
        "head": 7e-4,
        **dict.fromkeys(("norm+bias", "all", "late", "last"), 1.5e-3),
    }

    def __init__(self, cfg: LifterConfig | None = None) -> None:
        super().__init__()
        self.cfg = cfg = cfg or LifterConfig()
        self.context_offsets_s = cfg.context_offsets_s
        num_frames = 1 + len(cfg.context_offsets_s)
        self.stem = nn.Linear(num_inputs(num_frames, cfg.landmarks), cfg.width)
        self.blocks = nn.Sequential(*(Block(cfg.width, cfg.hidden) for _ in range(cfg.num_blocks)))
        self.norm = nn.LayerNorm(cfg.width)
        self.head = nn.Linear(cfg.width, NUM_RAW)
        self.register_buffer("shape_gain", torch.eye(10))
        self.register_buffer("shape_offset", torch.zeros(10))
        for name, value in mirrored_layout(num_frames, cfg.landmarks).items():
            self.register_buffer(name, value, persistent=False)
        nn.init.normal_(self.head.weight, std=0.002)
        nn.init.zeros_(self.head.bias)

    def encode(self, crops: Crops, tune: str | None = None) -> Tensor:
        """What `forward` takes, of N crops.

        Returns:
            (N, S, D): as seen, and mirrored if both sides count: for each frame the 17 keypoints
            (x, y, trust) in the virtual crop camera and whether the person was seen, by both
            witnesses together; how far the detector is off from that, and its trust; the
            landmarks, see `_landmarks`; then the crop's place and angular size. If only the head
            is tuned, (N, S, 1, width): what goes into the head, which does not change any more.
        """
        context = crops.context
        if context is None:
            context = crops.keypoints.new_zeros(len(crops), len(self.context_offsets_s), 17, 3)
        frames = torch.cat([crops.keypoints[:, None], context], dim=1)
        looks = crops.landmarks if self.cfg.landmarks else None
        both = frames if looks is None else evidence.merged(frames, looks)
        points, seen = self._points(both, crops)
        slope = (crops.center_px - crops.image_size_px / 2) / crops.focal_length_px[:, None]
        angular = crops.size_px / crops.focal_length_px
        place = torch.cat([slope, angular[:, None], angular.log()[:, None]], dim=1)
        parts = [evidence.flat(points, seen)]
        if self.cfg.landmarks:
            own, known = self._points(frames, crops)
            off = torch.cat([(own - points)[..., :2], own[..., 2:]], dim=-1) * known
            parts += [evidence.flat(off, known), self._landmarks(crops)]
        encoded = torch.cat([*parts, place], dim=1)
        sides = [encoded]
        if self.cfg.both_sides and not self.training:
            sides.append(encoded[:, self.mirror_input] * self.mirror_input_sign)
        each = torch.stack(sides, dim=1)
        return self._before_head(each, {})[:, :, None] if tune == "head" else each

    def _points(self, frames: Tensor, crops: Crops) -> tuple[Tensor, Tensor]:
        """(N, F, 17, 3) x, y, trust in the virtual camera; (N, F, 17, 1) 0 where hidden, else 1."""
        xy, score = frames[..., :2], frames[..., 2:]
        seen = (score >= evidence.MIN_SCORE).to(frames.dtype)
        xy = self._canonical_xy(xy, crops) if self.cfg.canonical else xy
        xy = xy.clamp(-evidence.MAX_COORDINATE, evidence.MAX_COORDINATE)
        trust = (score - evidence.MIN_SCORE) / (1.0 - evidence.MIN_SCORE)
        return torch.cat([xy * seen, (0.5 + trust) * seen], dim=-1), seen

    def _landmarks(self, crops: Crops) -> Tensor:
        """(N, F * 232): for each frame 33 times x, y, visibility times presence, presence; 33
        times X, Y, Z in metres; and whether there are any. Zeros where nobody looked."""
        num = 1 + len(self.context_offsets_s)
        seen = crops.landmarks
        if seen is None:
            return crops.keypoints.new_zeros(len(crops), num * PER_LOOK)
        xy, visible, present = seen[..., :2], seen[..., 2:3], seen[..., 3:4]
        xy = self._canonical_xy(xy, crops) if self.cfg.canonical else xy
        xy = xy.clamp(-evidence.MAX_COORDINATE, evidence.MAX_COORDINATE)
        xy = xy * (present >= evidence.MIN_PRESENCE)
        alive = (seen[..., 2:].abs().amax(dim=(2, 3)) > 0).to(seen.dtype)[..., None]
        flat = torch.cat([xy, visible * present, present], dim=-1).flatten(2)
        solid = seen[..., 4:].clamp(-evidence.MAX_METRES, evidence.MAX_METRES).flatten(2)
        return (torch.cat([flat, solid, torch.ones_like(alive)], dim=-1) * alive).flatten(1)

    def _before_head(self, encoded: Tensor, own: own_weights.Own) -> Tensor:
        x = own_weights.linear(self.stem, encoded, own)
        for block in cast("list[Block]", self.blocks):
            x = block.forward_each(x, own)
        return own_weights.norm(self.norm, x, own)

    def forward(self, encoded: Tensor) -> Tensor:
        """What `encode` gave to (N, 157) raw numbers: 24 x 6D rotations, betas, camera."""
        return self._answer(encoded, {})

    def forward_each(self, own: dict[str, Tensor], encoded: Tensor) -> Tensor:
        """`forward` where each row has some parameters of its own.

        The same as `functional_call` under `vmap`, and about twice as fast on a CPU: weights that
        are shared are multiplied once for all rows.

        Args:
            own: parameter names to (N, *shape). encoded: from `encode`.
        """
        return self._answer(encoded, own_weights.by_layer(self, own))

    def _answer(self, encoded: Tensor, own: own_weights.Own) -> Tensor:
        x = encoded.squeeze(2) if encoded.ndim == 4 else self._before_head(encoded, own)
        raw = own_weights.linear(self.head, x, own)
        if raw.shape[1] == 1:
            return raw[:, 0]
        mirrored = raw[:, 1, self.mirror_raw] * self.mirror_raw_sign
        return 0.5 * (raw[:, 0] + mirrored)

    def decode(self, raw: Tensor, crops: Crops) -> Prediction:
        """Raw numbers to SMPL in the camera frame."""
        six_d, betas, cam = raw.split(RAW_SIZES, dim=1)
        upright = raw.new_tensor([1.0, 0.0, 0.0, 1.0, 0.0, 0.0])
        rotations = six_d_to_matrix(six_d.unflatten(1, (24, 6)) + upright)
        flip = torch.diag(raw.new_tensor([1.0, -1.0, -1.0]))
        view, per_metre = self._view(crops)
        global_orient = view.mT @ flip @ rotations[:, 0]
        pelvis_view = torch.cat([cam[:, 1:], (per_metre * torch.exp(-cam[:, 0]))[:, None]], dim=1)
        pelvis = (view.mT @ pelvis_view[..., None]).squeeze(-1)
        transl = pelvis - raw.new_tensor(PELVIS_REST_M)
        pred_cam = camera.transl_to_pred_cam(transl, *crops.view)
        return Prediction(SmplParams(global_orient, rotations[:, 1:], betas), pred_cam)

    def track_betas(self, mean: Tensor) -> Tensor:
        """The shape of N people, of whom `mean` (N, 10) is the mean of the answers over a track.

        Not the mean itself: a network that is unsure of the pose makes people small, for shorter
        limbs are less wrong. The line was fitted to training motion (tools/calibrate_shape.py).
        """
        return torch.addmm(self.shape_offset, mean, self.shape_gain.T)

    @staticmethod
    def pelvis(prediction: Prediction, crops: Crops) -> Tensor:
        """(N, 3) pelvis in the camera frame, metres, of an answer of this network."""
        transl = camera.pred_cam_to_transl(prediction.pred_cam, *crops.view)
        return transl + transl.new_tensor(PELVIS_REST_M)

    def _view(self, crops: Crops) -> tuple[Tensor, Tensor]:
        """The virtual camera's rotation (N, 3, 3), and depth in metres per unit of scale (N,)."""
        args = (crops.center_px, crops.image_size_px, crops.focal_length_px)
        if not self.cfg.canonical:
            eye = torch.eye(3, dtype=crops.size_px.dtype, device=crops.size_px.device)
            return eye.expand(len(crops), 3, 3), 2.0 * crops.focal_length_px / crops.size_px
        view = camera.crop_view_rotation(*args)
        stretch = 1.0 / view[:, 2, 2]
        return view, 2.0 * crops.focal_length_px * stretch / crops.size_px

    def _canonical_xy(self, xy: Tensor, crops: Crops) -> Tensor:
        """(N, T, K, 2) crop coordinates as the virtual camera sees them, about -1..1 inside."""
        view, per_metre = self._view(crops)
        half = (crops.size_px / 2.0)[:, None, None, None]
        center = (crops.center_px - crops.image_size_px / 2.0)[:, None, None]
        slope = (xy * half + center) / crops.focal_length_px[:, None, None, None]
        turned = torch.einsum("nij,ntkj->ntki", view, F.pad(slope, (0, 1), value=1.0))
        plane = turned[..., :2] / turned[..., 2:].clamp(min=0.05)
        return plane * per_metre[:, None, None, None]

    def tunable(self, which: str) -> list[str]:
        """Parameter names: "all"; "norm+bias"; "late" (norm+bias of the second half of
        the blocks); "last" (last block and head); "head"."""
        names = [n for n, _ in self.named_parameters()]
        half = self.cfg.num_blocks // 2
        last = f"blocks.{self.cfg.num_blocks - 1}."
        choices = {
            "all": names,
            "norm+bias": [n for n in names if n.endswith(".bias") or "norm" in n],
            "late": [
                n
                for n in names
                if not n.startswith(("stem", *(f"blocks.{i}." for i in range(half))))
                and (n.endswith(".bias") or "norm" in n)
            ],
            "last": [n for n in names if n.startswith((last, "norm", "head"))],
            "head": [n for n in names if n.startswith("head")],
        }
        if which not in choices:
            raise ConfigError(f"tune must be one of {', '.join(choices)}, but got {which!r}")
        return choices[which]

    def metadata(self) -> dict[str, str]:
        """What a weights file must hold beside the tensors."""
        return {"architecture": "eftvideo.lifter", "config": json.dumps(asdict(self.cfg))}

    @classmethod
    def from_weights(cls, path: Path) -> Model:
        """Read a safetensors file that the trainer wrote.

        Raises:
            WeightsCorruptError: no safetensors file.
            CheckpointMismatchError: it is for another network; missing or unexpected keys named.
        """
        tensors, metadata = load_safetensors(path)
        if metadata.get("architecture") != "eftvideo.lifter":
            raise CheckpointMismatchError(
                f"{path} is not a lifter checkpoint (its metadata says "
                f"{metadata.get('architecture', 'nothing')!r}); make one: eftvideo train lifter"
            )
        stored = json.loads(metadata["config"])
        stored["context_offsets_s"] = tuple(stored["context_offsets_s"])
        stored = {"both_sides": False, "landmarks": False} | stored
        model = cls(LifterConfig(**stored))
        shape = {name: getattr(model, name) for name in ("shape_gain", "shape_offset")}
        try:
            model.load_state_dict(shape | {k: v.float() for k, v in tensors.items()})
        except RuntimeError as e:
            detail = " ".join(str(e).split())
            raise CheckpointMismatchError(f"{path} does not fit the lifter: {detail}") from e
        return model.eval().requires_grad_(False)
