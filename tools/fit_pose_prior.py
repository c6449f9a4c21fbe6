"""Fit the pose prior of `--method smplify`: a mixture of Gaussians over SMPL's body pose.

python tools/fit_pose_prior.py --poses POSES.npz --out weights/pose_prior.safetensors

The poses are the distinct frames of the library's training part (the trials that are held out for
training the lifter are held out here too) and their mirror images. Expectation-maximisation with
full covariances; a ridge keeps directions alive in which the library hardly moves.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import torch
from torch import Tensor

from eftvideo.fit.smplify.pose_prior import NUM_ANGLES
from eftvideo.geometry.skeletons import SMPL24, mirror_index
from eftvideo.train.synthetic.motions import MotionLibrary
from eftvideo.weights.locate import sha256_of

NUM_GAUSSIANS = 8
"""SMPLify's number (Bogo et al. 2016, section 3.2)."""
RIDGE_RAD = 0.05
"""Standard deviation added to every angle: about what the library's conversion leaves uncertain
(1 to 3 degrees along bones, more in spine and feet); its hands never move at all."""
CHUNK = 20_000


def library_poses(path: Path, *, held_out: bool) -> Tensor:
    """(P, 69) axis-angle of all distinct frames and of their mirror images."""
    pose = MotionLibrary(path, held_out=held_out).distinct_poses()
    mirrored = pose[:, [i - 1 for i in mirror_index(SMPL24)[1:]]] * pose.new_tensor([1.0, -1, -1])
    return torch.cat([pose, mirrored]).flatten(1)


def log_joint(x: Tensor, log_weight: Tensor, mean: Tensor, covariance: Tensor) -> Tensor:
    """(P, 69) to (P, K): log of each Gaussian's weight times its density."""
    factor = torch.linalg.cholesky(covariance)
    log_det = 2.0 * factor.diagonal(dim1=1, dim2=2).log().sum(-1)
    parts = []
    for rows in x.split(CHUNK):
        white = torch.linalg.solve_triangular(factor, (rows - mean[:, None]).mT, upper=False)
        parts.append(white.square().sum(1).T)
    square = torch.cat(parts)
    return log_weight - 0.5 * (square + log_det + x.shape[1] * math.log(2.0 * math.pi))


def first_guess(x: Tensor, generator: torch.Generator, rounds: int = 20) -> Tensor:
    """(P, K) hard shares: k-means, its centres drawn far apart (k-means++)."""
    pick = torch.randint(len(x), (1,), generator=generator)
    centers = x[pick]
    while len(centers) < NUM_GAUSSIANS:
        distance = torch.cdist(x, centers).amin(1).square()
        centers = torch.cat([centers, x[torch.multinomial(distance, 1, generator=generator)]])
    nearest = torch.cdist(x, centers).argmin(1)
    for _ in range(rounds):
        centers = torch.stack([x[nearest == k].mean(0) for k in range(NUM_GAUSSIANS)])
        nearest = torch.cdist(x, centers).argmin(1)
    return torch.nn.functional.one_hot(nearest, NUM_GAUSSIANS).to(x.dtype)


def maximize(x: Tensor, share: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Log weights (K,), means (K, 69) and covariances (K, 69, 69) for the shares (P, K)."""
    total = share.sum(0)
    mean = share.T @ x / total[:, None]
    covariance = torch.stack(
        [((x - m) * share[:, k, None]).T @ (x - m) / total[k] for k, m in enumerate(mean)]
    )
    ridge = RIDGE_RAD**2 * torch.eye(x.shape[1], dtype=x.dtype)
    return (total / len(x)).log(), mean, covariance + ridge


def fit(x: Tensor, seed: int, rounds: int) -> tuple[float, tuple[Tensor, Tensor, Tensor]]:
    """One run of EM: mean log likelihood per pose, and the mixture."""
    share = first_guess(x, torch.Generator().manual_seed(seed))
    before, likelihood, mixture = -math.inf, -math.inf, maximize(x, share)
    for _ in range(rounds):
        joint = log_joint(x, *mixture)
        likelihood = float(joint.logsumexp(1).mean())
        if likelihood - before < 1e-3:
            break
        before, mixture = likelihood, maximize(x, joint.softmax(1))
    return likelihood, mixture


def main() -> None:
    """Fit from several starts, keep the likeliest, write it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--poses", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--starts", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=100)
    args = parser.parse_args()
    x = library_poses(args.poses, held_out=False)
    assert x.shape[1] == NUM_ANGLES
    runs = []
    for seed in range(args.starts):
        runs.append(fit(x, seed, args.rounds))
        print(f"start {seed}: log likelihood {runs[-1][0]:.2f} of {len(x)} poses", flush=True)
    _, (log_weight, mean, covariance) = max(runs, key=lambda run: run[0])
    unseen = log_joint(library_poses(args.poses, held_out=True), log_weight, mean, covariance)
    print(f"held-out log likelihood {unseen.logsumexp(1).mean():.2f} of {len(unseen)} poses")
    print("weights " + " ".join(f"{w:.3f}" for w in log_weight.exp().tolist()))
    from safetensors.torch import save_file

    tensors = {"log_weight": log_weight, "mean": mean, "covariance": covariance}
    save_file(
        {name: value.contiguous() for name, value in tensors.items()},
        str(args.out),
        {"format": "pose_prior", "ridge_rad": str(RIDGE_RAD)},
    )
    print(f"wrote {args.out}, sha256 {sha256_of(args.out)}")


if __name__ == "__main__":
    main()
