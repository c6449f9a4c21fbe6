"""Answers for rendered pictures, and their errors."""

from __future__ import annotations

import torch
from torch import Tensor

from eftvideo.bodies import BodyModel
from eftvideo.evaluate import metrics
from eftvideo.geometry import camera
from eftvideo.geometry.crops import CROP_SIDE_PX
from eftvideo.geometry.skeletons import LIMB12, SMPL24, select
from eftvideo.regressors import Regressor
from eftvideo.train.synthetic.examples import Truth
from eftvideo.types import Crops, Prediction
from research.image_evidence.picture_data import Pictures
from research.image_evidence.picture_variety import plain

ROWS = 256


@torch.no_grad()
def predict(model: Regressor, data: Pictures) -> tuple[Prediction, Crops]:
    """Answers for pictures as they were drawn, by a network that sees pixels."""
    crops = plain(data, torch.arange(len(data)), model.crop_size_px)
    parts = [crops.select(rows) for rows in torch.arange(len(data)).split(ROWS)]
    raw = torch.cat([model.forward(model.encode(part)) for part in parts])
    return model.decode(raw, crops), crops


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
