"""One shape for each person: betas found once for a track, and held while the pose is fitted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from eftvideo.bodies import BodyModel
from eftvideo.config import RunConfig
from eftvideo.fit.crops import Camera, TrackMemory, crops_of
from eftvideo.geometry import camera
from eftvideo.regressors import Regressor
from eftvideo.types import Crops, FrameDetections, Prediction, SmplParams

Shapes = dict[int, np.ndarray]
"""(10,) betas by track id."""
MAX_SIGHTINGS = 240
"""Frames of a track that are asked; more settle nothing."""
GOOD_SHARE = 0.5
"""The better seen half of a track counts."""
_ROUNDS = 5
_BATCH = 256


def hold_shape(answer: Prediction, crops: Crops, body: BodyModel) -> Prediction:
    """An answer with the shapes that the crops say, if they say any.

    The pelvis moves along its ray by as much as the body grows, so that the picture stays the same.
    """
    if crops.betas is None:
        return answer
    params, betas = answer.params, crops.betas
    growth = body.mean_bone(betas) / body.mean_bone(params.betas)
    transl = camera.pred_cam_to_transl(answer.pred_cam, *crops.view)
    pelvis = (transl + body.rest_pelvis(params.betas)) * growth[:, None]
    held = SmplParams(params.global_orient, params.body_pose, betas)
    place = camera.transl_to_pred_cam(pelvis - body.rest_pelvis(betas), *crops.view)
    return Prediction(held, place)


def robust_mean(values: Tensor, weight: Tensor) -> Tensor:
    """(T, D), (T,) to (D,): mean in which far values count like their distance, not its square.

    The geometric median by Weiszfeld's iteration (1937), weighted, begun at the mean.
    """
    center = (values * weight[:, None]).sum(0) / weight.sum()
    for _ in range(_ROUNDS):
        far = (values - center).norm(dim=1)
        pull = weight / far.clamp(min=0.2 * float(far.median()) + 1e-6)
        center = (values * pull[:, None]).sum(0) / pull.sum()
    return center


@torch.no_grad()
def track_shapes(
    frames: Sequence[FrameDetections],
    memory: TrackMemory,
    regressor: Regressor,
    body: BodyModel,
    view: Camera,
    cfg: RunConfig,
    device: str,
) -> Shapes:
    """The shape of each person, from the regressor's own answers in the frames that show most.

    Returns:
        Betas of every track id.
    """
    regressor = getattr(regressor, "shape_source", regressor)
    chosen = _well_seen(frames)
    told: dict[int, list[Tensor]] = {}
    waiting: list[Crops] = []
    ids: list[int] = []

    def ask() -> None:
        crops = Crops.cat(waiting)
        answer = regressor.decode(regressor.forward(regressor.encode(crops)), crops)
        for track_id, betas in zip(ids, answer.params.betas, strict=True):
            told.setdefault(track_id, []).append(betas)
        waiting.clear()
        ids.clear()

    trust: dict[int, list[float]] = {}
    for at in sorted(chosen):
        frame, rows = frames[at], np.array(sorted(chosen[at]))
        some = FrameDetections(
            frame.frame_index, frame.time_s, frame.people.select(rows), frame.is_cut
        )
        waiting.append(crops_of(some, memory, regressor, view, cfg, device))
        ids += some.people.track_id.tolist()
        for track_id, seen in zip(some.people.track_id.tolist(), _evidence(some), strict=True):
            trust.setdefault(track_id, []).append(float(seen) ** 2)
        if len(ids) >= _BATCH:
            ask()
    if waiting:
        ask()
    if not told:
        return {}
    means = [
        robust_mean(torch.stack(betas), torch.tensor(trust[i], device=device))
        for i, betas in told.items()
    ]
    found = regressor.track_betas(torch.stack(means)).cpu().numpy().astype(np.float32)
    limit = cfg.eft.max_abs_beta
    return {i: betas.clip(-limit, limit) for i, betas in zip(told, found, strict=True)}


def _evidence(frame: FrameDetections) -> np.ndarray:
    """(N,) how much of each person is seen: mean score of the keypoints."""
    return frame.people.keypoints[..., 2].mean(axis=1)


def _well_seen(frames: Sequence[FrameDetections]) -> dict[int, list[int]]:
    """For each frame's place, the people in it who should be asked, by their place in the frame."""
    where: dict[int, list[tuple[float, int, int]]] = {}
    for at, frame in enumerate(frames):
        for row, (track_id, seen) in enumerate(
            zip(frame.people.track_id.tolist(), _evidence(frame).tolist(), strict=True)
        ):
            where.setdefault(track_id, []).append((seen, at, row))
    chosen: dict[int, list[int]] = {}
    for sightings in where.values():
        keep = max(1, min(len(sightings), round(GOOD_SHARE * len(sightings))))
        best = sorted(sorted(sightings, reverse=True)[:keep], key=lambda s: s[1])
        step = max(1.0, keep / MAX_SIGHTINGS)
        for k in range(min(keep, MAX_SIGHTINGS)):
            _, at, row = best[int(k * step)]
            chosen.setdefault(at, []).append(row)
    return chosen
