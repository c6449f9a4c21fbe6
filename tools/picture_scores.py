"""Errors of answers for rendered pictures."""

from __future__ import annotations

import torch
from torch import Tensor

from eftvideo import camera, metrics
from eftvideo.bodies import BodyModel
from eftvideo.crops import CROP_SIDE_PX
from eftvideo.skeletons import LIMB12, SMPL24, select
from eftvideo.synthetic.examples import Truth
from eftvideo.types import Crops, Prediction


@torch.no_grad()
def errors(body: BodyModel, prediction: Prediction, crops: Crops, truth: Truth) -> Tensor:
    """(N, 3): MPJPE and PA-MPJPE, mm, over the 12 limb joints; and the rms distance of the body's
    keypoints to the true ones in the picture, px of a 224 px crop."""
    joints, keypoints = body.joints_and_keypoints(prediction.params)
    limbs = select(LIMB12, SMPL24)
    true = truth.points[:, :24]
    own, other = (joints - joints[:, :1])[:, limbs], (true - true[:, :1])[:, limbs]
    transl = camera.pred_cam_to_transl(prediction.pred_cam, *crops.view)
    seen = keypoints[:, :17] + transl[:, None]
    px = [
        camera.project(p, crops.focal_length_px, crops.image_size_px)
        for p in (seen, truth.points[:, 24 : 24 + 17])
    ]
    flat = metrics.rms_px(px[0], px[1], torch.ones(px[0].shape[:2]))
    flat = flat * CROP_SIDE_PX / crops.size_px
    return torch.stack(
        [
            1e3 * metrics.mpjpe(own, other, root=None),
            1e3 * metrics.pa_mpjpe(own, other),
            flat,
        ],
        dim=1,
    )
