"""Feature pyramid of the mask head: from memory and attention maps to stride-4 mask features."""

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch.nn.functional as F
from mmcv.cnn import build_activation_layer
from torch import Tensor, nn

from mmttsrn.models.mask_heads.deform_conv import OffsetDeformConv2d


class InstanceMaskFPN(nn.Module):
    """Mask features of one instance in one frame, for many (instance, frame) pairs at once.

    What depends on the frame alone (the memory's share of the first convolution and the 1x1
    adapters of the finer maps) is computed once per frame, whatever the number of instances. The
    arguments are those of :class:`SequenceMaskHead`.

    Source: behaviour of the VisTR mask head.
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        fine_channels: Sequence[int],
        channels: Sequence[int],
        out_channels: int,
        num_groups: int,
        act_cfg: dict,
        deform_backend: str = "mmcv",
    ) -> None:
        super().__init__()
        self.embed_dims = embed_dims
        in_channels = embed_dims + num_heads
        widths = [in_channels, in_channels, *channels]
        self.convs = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in pairwise(widths))
        self.norms = nn.ModuleList(nn.GroupNorm(num_groups, c) for c in widths[1:])
        # Adapters from the coarsest of the finer maps (stride 16) to the finest (stride 4).
        self.adapters = nn.ModuleList(
            nn.Conv2d(a, b, 1) for a, b in zip(reversed(list(fine_channels)), channels, strict=True)
        )
        self.deform_conv = OffsetDeformConv2d(widths[-1], out_channels, deform_backend)
        self.out_norm = nn.GroupNorm(num_groups, out_channels)
        self.activation = build_activation_layer(act_cfg)
        for conv in (*self.convs, *self.adapters):
            nn.init.kaiming_uniform_(conv.weight, a=1)
            nn.init.zeros_(conv.bias)

    def frame_terms(self, memory: Tensor, fine_maps: Sequence[Tensor]) -> list[Tensor]:
        """Compute what all instances of a frame share.

        Args:
            memory: (B, C, h, w), B frames.
            fine_maps: (B, C_i, H_i, W_i), from the finest on.

        Returns:
            The memory's share of the first convolution, then the adapted maps, coarse to fine.
        """
        first = cast(nn.Conv2d, self.convs[0])
        share = F.conv2d(memory, first.weight[:, : self.embed_dims], first.bias, padding=1)
        pairs = zip(self.adapters, reversed(list(fine_maps)), strict=True)
        return [share, *(adapter(fine_map) for adapter, fine_map in pairs)]

    def forward(self, attention: Tensor, frame_terms: Sequence[Tensor]) -> Tensor:
        """Compute mask features.

        Args:
            attention: Attention maps (B, heads, h, w), one image per (instance, frame).
            frame_terms: ``frame_terms()`` gathered for the frame of each image.

        Returns:
            (B, C_out, H/4, W/4).
        """
        share, *adapted = frame_terms
        first = cast(nn.Conv2d, self.convs[0])
        x = share + F.conv2d(attention, first.weight[:, self.embed_dims :], padding=1)
        x = self.activation(self.norms[0](x))
        for conv, norm, fine_map in zip(self.convs[1:], self.norms[1:], adapted, strict=True):
            x = self.activation(norm(conv(x)))
            x = fine_map + F.interpolate(x, size=fine_map.shape[-2:])
        return self.activation(self.out_norm(self.deform_conv(x)))
