"""One shape for each person: betas found once for a track, and held while the pose is fitted."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from eftvideo.bodies import BodyModel
from eftvideo.config.fit import ShapeConfig
from eftvideo.fit.crops import CropMaker, Shapes
from eftvideo.geometry import camera
from eftvideo.geometry.robust import robust_mean
from eftvideo.types import Crops, Prediction, SmplParams
from eftvideo.types.track import Track, Tracks


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


@torch.no_grad()
def track_shapes(tracks: Tracks, crops: CropMaker) -> Shapes | None:
    """The shape of each person, from the regressor's own answers in the frames that show most.

    Returns:
        Betas of every track id; None: shapes are not held.
    """
    setup = crops.setup
    cfg = setup.cfg.fit
    if not cfg.shape.enabled:
        return None
    regressor = setup.regressor.shape_source
    asked = np.zeros(len(crops.rows), bool)
    for who, track in enumerate(tracks.people):
        mine = np.flatnonzero(crops.rows.who == who)
        asked[mine[_well_seen(track, cfg.shape)]] = True
    chosen = crops.rows.select(np.flatnonzero(asked))
    told: list[Tensor] = []
    for rows in _in_frames(chosen.at, cfg.chunks.rows_asked):
        some = crops.crops_of(chosen.select(rows), regressor=regressor)
        answer = regressor.decode(regressor.forward(regressor.encode(some)), some)
        told.append(answer.params.betas)
    if not told:
        return {}
    betas, whose = torch.cat(told), torch.from_numpy(chosen.who).to(setup.device)
    who, first = np.unique(chosen.who, return_index=True)
    people = who[np.argsort(first)].tolist()  # by first sighting, as they were asked
    means = []
    for n in people:
        which = chosen.which[chosen.who == n]
        trust = [float(v) ** 2 for v in _evidence(tracks.people[n])[which]]
        means.append(robust_mean(betas[whose == n], torch.tensor(trust, device=setup.device)))
    found = regressor.track_betas(torch.stack(means)).cpu().numpy().astype(np.float32)
    limit, ids = cfg.accept.max_abs_beta, [tracks.people[n].track_id for n in people]
    return {i: b.clip(-limit, limit) for i, b in zip(ids, found, strict=True)}


def _in_frames(at: np.ndarray, most: int) -> list[slice]:
    """Slices of rows of whole frames, each of `most` rows and what the last frame has beyond."""
    ends = np.flatnonzero(np.diff(at, append=-1)) + 1
    slices, start = [], 0
    for end in ends.tolist():
        if end - start >= most or end == len(at):
            slices.append(slice(start, end))
            start = end
    return slices


def _evidence(track: Track) -> np.ndarray:
    """(T,) how much of the person is seen: mean score of the keypoints."""
    return track.keypoints[..., 2].mean(axis=1)


def _well_seen(track: Track, cfg: ShapeConfig) -> np.ndarray:
    """The sightings that are asked, spread evenly over the better seen ones."""
    num = len(track)
    keep = max(1, min(num, round(cfg.good_share * num)))
    seen = _evidence(track)
    best = np.sort(np.lexsort((-np.arange(num), -seen))[:keep])
    step = max(1.0, keep / cfg.max_sightings)
    return best[[int(k * step) for k in range(min(keep, cfg.max_sightings))]]
