"""HMR's head: features of a crop to SMPL, by corrections to a mean answer, with their names."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from eftvideo.geometry import camera
from eftvideo.geometry.rotations import six_d_to_matrix
from eftvideo.regressors._hmr_files import CameraConvention
from eftvideo.regressors._own_weights import Own, linear, times
from eftvideo.regressors._raw import NUM_BETAS, NUM_CAM, NUM_POSE, NUM_RAW, RAW_SIZES
from eftvideo.types import Crops, Prediction, SmplParams

HEAD = ("fc1", "fc2", "decpose", "decshape", "deccam")
"""The layers of the head."""


class HmrHead(nn.Module):
    """To inherit from, beside the trunk. New heads answer the T-pose, upright before the camera."""

    init_pose: Tensor
    init_shape: Tensor
    init_cam: Tensor

    def add_head(self, num_features: int, hidden: int, num_iterations: int) -> None:
        """The layers and mean parameters; `num_iterations` corrections."""
        self.num_iterations, self._num_seen = num_iterations, num_features
        self.fc1 = nn.Linear(num_features + NUM_RAW, hidden)
        self.drop1 = nn.Dropout()
        self.fc2 = nn.Linear(hidden, hidden)
        self.drop2 = nn.Dropout()
        self.decpose = nn.Linear(hidden, NUM_POSE)
        self.decshape = nn.Linear(hidden, NUM_BETAS)
        self.deccam = nn.Linear(hidden, NUM_CAM)
        for layer in (self.decpose, self.decshape, self.deccam):
            nn.init.xavier_uniform_(layer.weight, gain=0.01)
        rest = torch.tensor([[1.0, 0.0, 0.0, 1.0, 0.0, 0.0]]).repeat(24, 1)
        rest[0, 3] = -1.0  # the camera's y points down, the body's up
        self.register_buffer("init_pose", rest.flatten()[None])
        self.register_buffer("init_shape", torch.zeros(1, NUM_BETAS))
        self.register_buffer("init_cam", torch.tensor([[0.9, 0.0, 0.0]]))

    def correct(self, x: Tensor, own: Own) -> Tensor:
        """(N, num_features) to (N, 157): 24 x 6D rotations, betas, camera.

        Args:
            x: features. own: weights of each row's own.
        """
        pose, shape, cam = (
            start.expand(len(x), -1) for start in (self.init_pose, self.init_shape, self.init_cam)
        )
        mine = own.get(self.fc1, {})
        weight = mine.get("weight", self.fc1.weight)
        # The features' part of the first layer is the same every time.
        seen = times(weight[..., : self._num_seen], x) + mine.get("bias", self.fc1.bias)
        weight = weight[..., self._num_seen :]
        for _ in range(self.num_iterations):
            y = seen + times(weight, torch.cat([pose, shape, cam], dim=1))
            y = self.drop2(linear(self.fc2, self.drop1(y), own))
            pose = pose + linear(self.decpose, y, own)
            shape = shape + linear(self.decshape, y, own)
            cam = cam + linear(self.deccam, y, own)
        return torch.cat([pose, shape, cam], dim=1)


def decode(raw: Tensor, crops: Crops, convention: CameraConvention) -> Prediction:
    """Raw numbers (N, 157) to SMPL in the camera frame.

    The network sees the crop as a camera that looks straight at it would; its answer is turned
    into the frame of the whole picture's camera. The pelvis stays where it is in the crop.
    """
    six_d, betas, cam = raw.split(RAW_SIZES, dim=1)
    rotations = six_d_to_matrix(six_d.unflatten(1, (24, 6)))
    view = camera.crop_view_rotation(crops.center_px, crops.image_size_px, crops.focal_length_px)
    if convention == "eft":
        cam = torch.cat([cam[:, :1], cam[:, 1:] / cam[:, :1]], dim=1)
    return Prediction(SmplParams(view.mT @ rotations[:, 0], rotations[:, 1:], betas), cam)
