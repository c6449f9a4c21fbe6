"""Checkpoints in the form of 4D-Humans' own: its key names and shapes as facts, random numbers.

The names and shapes are written out here, not asked of the network under test.
"""

from __future__ import annotations

import sys
import types
import typing
from collections import OrderedDict, defaultdict
from pathlib import Path

import pytest
import torch
from torch import Tensor

from eftvideo.regressors._hmr2_head import HeadConfig
from eftvideo.regressors._vit import VitConfig
from eftvideo.regressors.hmr2 import Hmr2Config
from eftvideo.types import Crops

SMALL = Hmr2Config(
    VitConfig(height_px=64, width_px=48, patch_px=16, width=32, depth=3, num_heads=2),
    HeadConfig(width=24, depth=2, num_heads=2, head_width=8, hidden=20),
)

SIDE = SMALL.backbone.height_px

_BLOCK = {
    "norm1.weight": ("W",),
    "norm1.bias": ("W",),
    "attn.qkv.weight": ("3W", "W"),
    "attn.qkv.bias": ("3W",),
    "attn.proj.weight": ("W", "W"),
    "attn.proj.bias": ("W",),
    "norm2.weight": ("W",),
    "norm2.bias": ("W",),
    "mlp.fc1.weight": ("4W", "W"),
    "mlp.fc1.bias": ("4W",),
    "mlp.fc2.weight": ("W", "4W"),
    "mlp.fc2.bias": ("W",),
}
_LAYER = {
    "0.norm.weight": ("D",),
    "0.norm.bias": ("D",),
    "0.fn.to_qkv.weight": ("3I", "D"),
    "0.fn.to_out.0.weight": ("D", "I"),
    "0.fn.to_out.0.bias": ("D",),
    "1.norm.weight": ("D",),
    "1.norm.bias": ("D",),
    "1.fn.to_kv.weight": ("2I", "W"),
    "1.fn.to_q.weight": ("I", "D"),
    "1.fn.to_out.0.weight": ("D", "I"),
    "1.fn.to_out.0.bias": ("D",),
    "2.norm.weight": ("D",),
    "2.norm.bias": ("D",),
    "2.fn.net.0.weight": ("H", "D"),
    "2.fn.net.0.bias": ("H",),
    "2.fn.net.3.weight": ("D", "H"),
    "2.fn.net.3.bias": ("D",),
}
_REST = {
    "backbone.pos_embed": (1, "T", "W"),
    "backbone.patch_embed.proj.weight": ("W", 3, 16, 16),
    "backbone.patch_embed.proj.bias": ("W",),
    "backbone.last_norm.weight": ("W",),
    "backbone.last_norm.bias": ("W",),
    "smpl_head.init_body_pose": (1, 144),
    "smpl_head.init_betas": (1, 10),
    "smpl_head.init_cam": (1, 3),
    "smpl_head.transformer.to_token_embedding.weight": ("D", 1),
    "smpl_head.transformer.to_token_embedding.bias": ("D",),
    "smpl_head.transformer.pos_embedding": (1, 1, "D"),
    "smpl_head.decpose.weight": (144, "D"),
    "smpl_head.decpose.bias": (144,),
    "smpl_head.decshape.weight": (10, "D"),
    "smpl_head.decshape.bias": (10,),
    "smpl_head.deccam.weight": (3, "D"),
    "smpl_head.deccam.bias": (3,),
}
PUBLISHED = {"T": 193, "W": 1280, "D": 1024, "I": 512, "H": 1024, "blocks": 32, "layers": 6}
"""Sizes of HMR 2.0a and b: positions, ViT width, head width, its attention's, its perceptron's."""


def sizes_of(cfg: Hmr2Config) -> dict[str, int]:
    """Sizes of a network of another size, in the letters of the tables."""
    vit, head = cfg.backbone, cfg.head
    tokens = (vit.height_px // 16) * (vit.width_px // 16)
    inner = head.num_heads * head.head_width
    sizes = {"T": tokens + 1, "W": vit.width, "D": head.width, "I": inner, "H": head.hidden}
    return sizes | {"blocks": vit.depth, "layers": head.depth}


def key_shapes(sizes: dict[str, int]) -> dict[str, tuple[int, ...]]:
    """All names of the network's tensors and their shapes."""

    def number(letter: str | int) -> int:
        if isinstance(letter, int):
            return letter
        return int(letter[:-1] or 1) * sizes[letter[-1]]

    named = dict(_REST)
    for i in range(sizes["blocks"]):
        named |= {f"backbone.blocks.{i}.{k}": v for k, v in _BLOCK.items()}
    for i in range(sizes["layers"]):
        layer = f"smpl_head.transformer.transformer.layers.{i}"
        named |= {f"{layer}.{k}": v for k, v in _LAYER.items()}
    return {k: tuple(number(x) for x in v) for k, v in named.items()}


def random_tensors(cfg: Hmr2Config = SMALL, seed: int = 0) -> dict[str, Tensor]:
    """Numbers of trained networks' order of size, for every name."""
    g = torch.Generator().manual_seed(seed)
    tensors = {k: 0.05 * torch.randn(s, generator=g) for k, s in key_shapes(sizes_of(cfg)).items()}
    for key, value in tensors.items():
        if key.endswith(("norm.weight", "norm1.weight", "norm2.weight")):
            value += 1.0
    pose = tensors["smpl_head.init_body_pose"].view(24, 6)
    pose += torch.tensor([1.0, 0.0, 0.0, 0.0, 1.0, 0.0])
    pose[0, 4] -= 2.0
    tensors["smpl_head.init_cam"] += torch.tensor([[0.9, 0.0, 0.0]])
    return tensors


def write_checkpoint(
    path: Path, tensors: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch
) -> Path:
    """As PyTorch Lightning wrote 4D-Humans': settings of omegaconf, a discriminator, SMPL."""

    class DictConfig(dict):
        pass

    class ContainerMetadata:
        def __init__(self) -> None:
            self.ref_type, self.fields = typing.Any, defaultdict(int)

    for module, cls in (("dictconfig", DictConfig), ("base", ContainerMetadata)):
        cls.__module__, cls.__qualname__ = f"omegaconf.{module}", cls.__name__
        stub = types.ModuleType(cls.__module__)
        setattr(stub, cls.__name__, cls)
        monkeypatch.setitem(sys.modules, cls.__module__, stub)
    monkeypatch.setitem(sys.modules, "omegaconf", types.ModuleType("omegaconf"))
    settings = DictConfig(MODEL=DictConfig(IMAGE_SIZE=256))
    settings._metadata = ContainerMetadata()  # type: ignore[attr-defined]
    beside = {
        "discriminator.D_conv1.weight": torch.randn(32, 9, 1, 1),
        "smpl.v_template": torch.randn(5, 3),
        "initialized": torch.tensor(True),
    }
    content = {
        "epoch": 35,
        "global_step": 1000000,
        "pytorch-lightning_version": "1.8.1",
        "state_dict": OrderedDict(tensors | beside),
        "lr_schedulers": [],
        "NativeMixedPrecisionPlugin": {"scale": 65536.0, "growth_interval": 2000},
        "hparams_name": "cfg",
        "hyper_parameters": {"cfg": settings},
    }
    torch.save(content, path)
    return path


def some_crops(num: int = 3, seed: int = 0, center: tuple[float, float] = (640.0, 360.0)) -> Crops:
    """Crops of noise."""
    g = torch.Generator().manual_seed(seed)
    keypoints = torch.rand(num, 17, 2, generator=g) * 1.2 - 0.6
    return Crops(
        torch.cat([keypoints, torch.full((num, 17, 1), 0.9)], dim=2),
        torch.tensor([center]).expand(num, 2),
        torch.rand(num, generator=g) * 200 + 200,
        torch.full((num,), 1200.0),
        torch.tensor([[1280.0, 720.0]]).expand(num, 2),
        image=torch.randint(0, 256, (num, 3, SIDE, SIDE), generator=g, dtype=torch.uint8),
    )
