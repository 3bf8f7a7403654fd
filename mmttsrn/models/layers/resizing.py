"""Masks at the sizes of feature maps."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor


def resize_padding_mask(padding_mask: Tensor, size: Sequence[int]) -> Tensor:
    """Take the nearest cells of a mask (N, T, H, W) bool; (N, T, h, w) bool of ``size``."""
    return F.interpolate(padding_mask.float(), size=tuple(size)).bool()


def cell_shares(masks: Tensor, like: Tensor) -> Tensor:
    """Average masks (..., T, H, W) over the cells of maps (..., h, w): (..., T, h, w) in 0..1."""
    h, w = like.shape[-2:]
    return F.adaptive_avg_pool2d(masks.to(like.dtype), (h, w))
