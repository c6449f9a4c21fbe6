"""A tiny pose library of the same structure as the one that the lifter is trained on."""

from pathlib import Path

import numpy as np


def write_library(path: Path, *, num_clips: int = 30, length: int = 40, seed: int = 0) -> Path:
    """People who swing their arms and legs; clip names are spread over train and held-out."""
    rng = np.random.default_rng(seed)
    phase = np.linspace(0, 4 * np.pi, length)[:, None]
    clips = []
    for _ in range(num_clips):
        pose = np.zeros((length, 23, 3))
        amplitude = rng.uniform(0.2, 0.8, 4)
        for joint, sign, a in zip((0, 1, 15, 16), (1, -1, 1, -1), amplitude, strict=True):
            pose[:, joint, 0] = (sign * a * np.sin(phase + rng.uniform(0, 1)))[:, 0]
        pose[:, 15, 2] -= 1.1
        pose[:, 16, 2] += 1.1
        clips.append(pose)
    body_pose = np.concatenate(clips).astype(np.float16)
    rows = len(body_pose)
    transl = np.zeros((rows, 3), np.float16)
    transl[:, 1] = 0.95
    np.savez(
        path,
        body_pose=body_pose,
        global_orient=np.zeros((rows, 3), np.float16),
        transl=transl,
        clip=np.repeat(np.arange(num_clips), length).astype(np.int32),
        clip_names=np.array([f"trial_{i:02d}" for i in range(num_clips)]),
        distinct=np.ones(rows, bool),
        fps=np.float32(30),
    )
    return path
