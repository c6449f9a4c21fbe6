"""Priors over SMPL's body pose: a mixture of Gaussians, and limits of elbows and knees."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from eftvideo.errors import WeightsCorruptError
from eftvideo.geometry.skeletons import SMPL24
from eftvideo.weights.locate import load_safetensors, resolve
from eftvideo.weights.shipped import POSE_PRIOR

NUM_ANGLES = 69
"""Axis-angle of SMPL's joints 1 to 23, one after the other."""


def _angle(joint: str, axis: int) -> int:
    return 3 * (SMPL24.index(joint) - 1) + axis


_BENT_BACK = (
    (_angle("left_elbow", 1), 1.0),
    (_angle("right_elbow", 1), -1.0),
    (_angle("left_knee", 0), -1.0),
    (_angle("right_knee", 0), -1.0),
)
"""Entries of the body pose that grow in this direction when the joint bends the wrong way."""


@dataclass(frozen=True)
class PosePrior:
    """SMPLify's mixture of K Gaussians over the body pose (Bogo et al. 2016, section 3.2)."""

    log_weight: Tensor
    """(K,) log of each Gaussian's share."""
    mean: Tensor
    """(K, 69) radians."""
    whiten: Tensor
    """(K, 69, 69) inverse Cholesky factor of each covariance: turns deviations white."""
    offset: Tensor
    """(K,) what each Gaussian's height and share add to its penalty; the least is 0."""

    @classmethod
    def from_covariance(cls, log_weight: Tensor, mean: Tensor, covariance: Tensor) -> PosePrior:
        """Make the prior of log shares (K,), means (K, 69) and covariances (K, 69, 69)."""
        factor = torch.linalg.cholesky(covariance.double())
        log_det = 2.0 * factor.diagonal(dim1=1, dim2=2).log().sum(-1)
        offset = 0.5 * log_det - log_weight.double()
        eye = torch.eye(mean.shape[1], dtype=torch.float64, device=mean.device)
        whiten = torch.linalg.solve_triangular(factor, eye.expand_as(factor), upper=False)
        return cls(log_weight, mean, whiten.to(mean.dtype), (offset - offset.min()).to(mean.dtype))

    def penalty(self, body_pose: Tensor) -> Tensor:
        """How unlikely poses are: (N, 69) axis-angle to (N,).

        The least, over the Gaussians, of half the squared Mahalanobis distance plus a constant for
        its height and share: SMPLify's approximation of the mixture's negative log likelihood.
        """
        away = body_pose[:, None] - self.mean
        white = torch.einsum("kij,nkj->nki", self.whiten, away)
        return (0.5 * white.square().sum(-1) + self.offset).amin(-1)

    def mean_pose(self) -> Tensor:
        """(69,) the mixture's mean, where SMPLify begins."""
        return self.log_weight.exp() @ self.mean

    def to(self, device: str | torch.device) -> PosePrior:
        """The same prior on another device."""
        return PosePrior(
            self.log_weight.to(device),
            self.mean.to(device),
            self.whiten.to(device),
            self.offset.to(device),
        )


def load_pose_prior(path: str | Path | None = None) -> PosePrior:
    """The prior that is shipped, or another one of the same form.

    Raises:
        WeightsNotFoundError: no such file.
        WeightsCorruptError: not a pose prior, or not the recorded one.
    """
    file = resolve(POSE_PRIOR, path)
    tensors, _ = load_safetensors(file)
    num = len(tensors.get("log_weight", ()))
    want = {
        "log_weight": (num,),
        "mean": (num, NUM_ANGLES),
        "covariance": (num, NUM_ANGLES, NUM_ANGLES),
    }
    got = {name: tuple(value.shape) for name, value in tensors.items()}
    if got != want or not num:
        raise WeightsCorruptError(
            f"{file} is not a pose prior: expected log_weight, mean and covariance of K Gaussians "
            f"over {NUM_ANGLES} angles, but got {got}; make one with tools/fit_pose_prior.py"
        )
    try:
        return PosePrior.from_covariance(**tensors)
    except torch.linalg.LinAlgError as e:
        raise WeightsCorruptError(
            f"{file} is not a pose prior: a covariance is not positive definite; "
            "make one with tools/fit_pose_prior.py"
        ) from e


def wrong_bend(body_pose: Tensor) -> Tensor:
    """SMPLify's limit of elbows and knees: (N, 69) axis-angle to (N,).

    Sum over the four joints of exp(angle)^2, the angle counted in the direction in which the joint
    cannot bend (Bogo et al. 2016, equation 3; SPIN squares the exponential).
    """
    index = [i for i, _ in _BENT_BACK]
    sign = body_pose.new_tensor([s for _, s in _BENT_BACK])
    return (2.0 * body_pose[:, index] * sign).exp().sum(-1)
