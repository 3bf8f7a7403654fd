"""Twins-SVT: a pyramid transformer of alternating windowed and sub-sampled global attention."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Any, cast

import torch
import torch.nn.functional as F
from mmcv.cnn.bricks.drop import DropPath
from mmengine.model import BaseModule
from mmengine.model.weight_init import trunc_normal_
from torch import Tensor, nn

from mmttsrn.models.layers import run_layer
from mmttsrn.registry import MODELS


class PatchEmbed(nn.Module):
    """Non-overlapping patches to tokens; rows and columns that fill no patch are dropped."""

    def __init__(self, in_channels: int, embed_dims: int, patch_size: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(in_channels, embed_dims, patch_size, stride=patch_size)
        self.norm = nn.LayerNorm(embed_dims, eps=1e-5)

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """Map (B, C_in, H, W) to tokens (B, h*w, C) and their grid size (h, w)."""
        x = self.proj(x)
        return self.norm(x.flatten(2).transpose(1, 2)), (x.shape[2], x.shape[3])


class WindowAttention(nn.Module):
    """Self-attention inside non-overlapping windows (the "locally-grouped" attention of Twins).

    The grid is padded with zeros at the right and bottom to a multiple of the window; padded
    cells are ordinary keys, as in the authors' detection code and in timm, which is what the
    published ImageNet weights run with.
    """

    def __init__(self, embed_dims: int, num_heads: int, window_size: int, qkv_bias: bool) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.window_size = window_size
        self.qkv = nn.Linear(embed_dims, embed_dims * 3, bias=qkv_bias)
        self.proj = nn.Linear(embed_dims, embed_dims)

    def forward(self, x: Tensor, grid: tuple[int, int]) -> Tensor:
        """Attend inside windows; (B, h*w, C) to (B, h*w, C)."""
        (h, w), s, c = grid, self.window_size, x.shape[-1]
        x = x.unflatten(1, grid)
        x = F.pad(x, (0, 0, 0, -w % s, 0, -h % s))
        rows, columns = x.shape[1] // s, x.shape[2] // s
        windows = x.unflatten(2, (columns, s)).unflatten(1, (rows, s)).transpose(2, 3)
        qkv = self.qkv(windows.reshape(-1, s * s, c))  # B*rows*columns, s*s, 3C
        q, k, v = qkv.unflatten(-1, (3, self.num_heads, c // self.num_heads)).permute(2, 0, 3, 1, 4)
        out = F.scaled_dot_product_attention(q, k, v).transpose(1, 2)
        out = out.reshape(-1, rows, columns, s, s, c).transpose(2, 3)
        out = out.reshape(-1, rows * s, columns * s, c)[:, :h, :w]
        return self.proj(out.flatten(1, 2))


class SubsampledAttention(nn.Module):
    """Global self-attention on keys and values sub-sampled by a strided convolution."""

    def __init__(self, embed_dims: int, num_heads: int, sr_ratio: int, qkv_bias: bool) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.q = nn.Linear(embed_dims, embed_dims, bias=qkv_bias)
        self.kv = nn.Linear(embed_dims, embed_dims * 2, bias=qkv_bias)
        self.proj = nn.Linear(embed_dims, embed_dims)
        self.sr_ratio = sr_ratio
        if sr_ratio > 1:
            self.sr = nn.Conv2d(embed_dims, embed_dims, sr_ratio, stride=sr_ratio)
            self.norm = nn.LayerNorm(embed_dims, eps=1e-5)

    def forward(self, x: Tensor, grid: tuple[int, int]) -> Tensor:
        """Attend over the whole frame; (B, h*w, C) to (B, h*w, C)."""
        head_shape = (self.num_heads, x.shape[-1] // self.num_heads)
        q = self.q(x).unflatten(-1, head_shape).transpose(1, 2)
        if self.sr_ratio > 1:
            cells = self.sr(x.transpose(1, 2).unflatten(2, grid))
            x = self.norm(cells.flatten(2).transpose(1, 2))
        k, v = self.kv(x).unflatten(-1, (2, *head_shape)).permute(2, 0, 3, 1, 4)
        out = F.scaled_dot_product_attention(q, k, v)
        return self.proj(out.transpose(1, 2).flatten(2))


class TwinsBlock(nn.Module):
    """Pre-norm transformer block: attention and MLP, each with stochastic depth."""

    def __init__(self, attn: nn.Module, embed_dims: int, mlp_ratio: float, drop_path: float):
        super().__init__()
        self.norm1 = nn.LayerNorm(embed_dims, eps=1e-6)
        self.attn = attn
        self.norm2 = nn.LayerNorm(embed_dims, eps=1e-6)
        hidden = int(embed_dims * mlp_ratio)
        fc1, fc2 = nn.Linear(embed_dims, hidden), nn.Linear(hidden, embed_dims)
        self.mlp = nn.Sequential(OrderedDict(fc1=fc1, act=nn.GELU(), fc2=fc2))
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor, grid: tuple[int, int]) -> Tensor:
        """Map tokens (B, h*w, C) to (B, h*w, C)."""
        x = x + self.drop_path(self.attn(self.norm1(x), grid))
        return x + self.drop_path(self.mlp(self.norm2(x)))


class PositionEncodingGenerator(nn.Module):
    """Conditional position encoding: a residual depth-wise 3x3 convolution over the grid."""

    def __init__(self, embed_dims: int) -> None:
        super().__init__()
        self.proj = nn.Sequential(
            nn.Conv2d(embed_dims, embed_dims, 3, padding=1, groups=embed_dims)
        )

    def forward(self, x: Tensor, grid: tuple[int, int]) -> Tensor:
        """Map tokens (B, h*w, C) to (B, h*w, C)."""
        cells = x.transpose(1, 2).unflatten(2, grid)
        return x + self.proj(cells).flatten(2).transpose(1, 2)


@MODELS.register_module()
class TwinsSVT(BaseModule):
    """Twins-SVT backbone with one feature map per stage, at strides 4, 8, 16 and 32.

    Parameter names are those of the authors' published checkpoints, which load as they are
    (classification-only ``head.*`` and ``norm.*`` are left over).

    Args:
        arch: A preset, ``"small"``, ``"base"`` or ``"large"``, or a dict with ``embed_dims``,
            ``num_heads`` and ``depths`` (one entry a stage) and optionally ``mlp_ratios``,
            ``window_sizes``, ``sr_ratios`` and ``patch_sizes``.
        in_channels: Channels of a frame.
        qkv_bias: Whether query, key and value projections have a bias.
        drop_path_rate: Stochastic depth of the last block; grows linearly from 0 at the first.
        out_indices: Stages whose maps are returned, in rising order.
        output_norm: Layer norm on the map of each stage, which is also the next stage's input, as
            in the authors' dense-prediction models. ImageNet checkpoints have no such weights.
        frozen_stages: Stages 0..``frozen_stages`` stay fixed and in eval mode; -1 freezes none.
        with_cp: Recompute block activations in the backward pass to save memory.
        init_cfg: MMEngine initialisation, e.g. ``dict(type="mmttsrn.PretrainedWeights",
            checkpoint=...)``.

    Raises:
        TypeError: ``arch`` has other keys.
        ValueError: An entry of ``arch`` has another number of stages.

    Source: "Twins: Revisiting the Design of Spatial Attention in Vision Transformers" (NeurIPS
    2021), section 3.2; behaviour of the authors' detection code.
    """

    def __init__(
        self,
        arch: str | dict[str, Any] = "small",
        in_channels: int = 3,
        qkv_bias: bool = True,
        drop_path_rate: float = 0.2,
        out_indices: Sequence[int] = (0, 1, 2, 3),
        output_norm: bool = False,
        frozen_stages: int = -1,
        with_cp: bool = False,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        stages = _stages(**(PRESETS[arch] if isinstance(arch, str) else arch))
        dims = [stage[0] for stage in stages]
        self.out_indices = tuple(out_indices)
        self.out_channels = [dims[i] for i in self.out_indices]
        self.frozen_stages = frozen_stages
        self.with_cp = with_cp
        depth = sum(stage[2] for stage in stages)
        drop_paths = iter(torch.linspace(0, drop_path_rate, depth, device="cpu").tolist())
        self.patch_embeds = nn.ModuleList(
            PatchEmbed(c_in, stage[0], stage[-1])
            for c_in, stage in zip([in_channels, *dims[:-1]], stages, strict=True)
        )
        self.pos_block = nn.ModuleList(PositionEncodingGenerator(c) for c in dims)
        self.blocks = nn.ModuleList(
            nn.ModuleList(_blocks(stage, qkv_bias, drop_paths)) for stage in stages
        )
        self.norm_list = (
            nn.ModuleList(nn.LayerNorm(c, eps=1e-6) for c in dims) if output_norm else None
        )
        self._freeze_stages()

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Map frames (B, 3, H, W) to (B, C_i, H_i, W_i), one for each of ``out_indices``."""
        maps = []
        for stage, blocks in enumerate(self.blocks):
            x, grid = self.patch_embeds[stage](x)
            for i, block in enumerate(cast(nn.ModuleList, blocks)):
                x = run_layer(block, x, grid, recompute=self.with_cp)
                if i == 0:
                    x = self.pos_block[stage](x, grid)
            if self.norm_list is not None:
                x = self.norm_list[stage](x)
            x = x.transpose(1, 2).unflatten(2, grid).contiguous()
            if stage in self.out_indices:
                maps.append(x)
        return tuple(maps)

    def init_weights(self) -> None:
        """Initialise as the authors do, but for convolution biases; or by ``init_cfg``."""
        if self.init_cfg is not None:
            super().init_weights()
            return
        for module in self.modules():
            if isinstance(module, nn.Linear):
                trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Conv2d):
                fan_out = module.weight[0, 0].numel() * module.out_channels // module.groups
                nn.init.normal_(module.weight, std=(2.0 / fan_out) ** 0.5)
                # Biases keep PyTorch's uniform start: with zero bias a patch of padding is a zero
                # vector, on which the gradient of a layer norm is 1 / sqrt(eps).

    def train(self, mode: bool = True) -> "TwinsSVT":
        """Set the mode, keeping frozen stages fixed."""
        super().train(mode)
        self._freeze_stages()
        return self

    def _freeze_stages(self) -> None:
        parts: Any
        for parts in (self.patch_embeds, self.pos_block, self.blocks, self.norm_list or []):
            for part in parts[: self.frozen_stages + 1]:
                part.eval().requires_grad_(False)


def _stages(
    embed_dims: Sequence[int],
    num_heads: Sequence[int],
    depths: Sequence[int],
    mlp_ratios: Sequence[float] = (4, 4, 4, 4),
    window_sizes: Sequence[int] = (7, 7, 7, 7),
    sr_ratios: Sequence[int] = (8, 4, 2, 1),
    patch_sizes: Sequence[int] = (4, 2, 2, 2),
) -> list[tuple[Any, ...]]:
    """Entries of ``arch`` stage by stage, in this order."""
    entries = (embed_dims, num_heads, depths, mlp_ratios, window_sizes, sr_ratios, patch_sizes)
    return list(zip(*entries, strict=True))


def _blocks(
    stage: tuple[Any, ...], qkv_bias: bool, drop_paths: Iterator[float]
) -> Iterator[TwinsBlock]:
    """Blocks of a stage, windowed and sub-sampled in turn."""
    dims, heads, depth, mlp_ratio, window_size, sr_ratio, _ = stage
    for i in range(depth):
        attn: nn.Module = (
            SubsampledAttention(dims, heads, sr_ratio, qkv_bias)
            if i % 2
            else WindowAttention(dims, heads, window_size, qkv_bias)
        )
        yield TwinsBlock(attn, dims, mlp_ratio, next(drop_paths))


PRESETS: dict[str, dict[str, Any]] = dict(
    small=dict(embed_dims=(64, 128, 256, 512), num_heads=(2, 4, 8, 16), depths=(2, 2, 10, 4)),
    base=dict(embed_dims=(96, 192, 384, 768), num_heads=(3, 6, 12, 24), depths=(2, 2, 18, 2)),
    large=dict(embed_dims=(128, 256, 512, 1024), num_heads=(4, 8, 16, 32), depths=(2, 2, 18, 2)),
)
