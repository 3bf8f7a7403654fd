"""Sine position encoding over time, rows and columns."""

import math

import torch
from torch import Tensor, nn

from mmttsrn.errors import UserInputError
from mmttsrn.registry import MODELS


@MODELS.register_module()
class SinePositionEncoding3D(nn.Module):
    """Fixed 3-D sine encoding; a third of the channels each for time, rows and columns.

    Positions are running counts of unpadded cells along an axis, starting at 1 and divided by the
    last count, so that the encoding of a clip does not depend on the padding of its batch.

    Args:
        embed_dims: Channels C of the encoding, a multiple of 6: a sine and a cosine for each of
            time, rows and columns.
        temperature: Base of the geometric progression of wave lengths.
        scale: Angle of the last position before the division by wave lengths, in radians.
        eps: Added to the last count before dividing.

    Raises:
        UserInputError: ``embed_dims`` is not a multiple of 6.

    Source: behaviour of the VisTR reference.
    """

    wave_lengths: Tensor

    def __init__(
        self,
        embed_dims: int = 384,
        temperature: float = 10000.0,
        scale: float = 2 * math.pi,
        eps: float = 1e-6,
    ) -> None:
        super().__init__()
        if embed_dims % 6:
            raise UserInputError(f"embed_dims={embed_dims}: expected a multiple of 6")
        self.scale = scale
        self.eps = eps
        channels = embed_dims // 3
        exponents = torch.arange(channels) // 2 * 2 / channels
        self.register_buffer("wave_lengths", temperature**exponents, persistent=False)

    def forward(self, padding_mask: Tensor) -> Tensor:
        """Encode every cell of a clip.

        Args:
            padding_mask: (N, T, h, w) bool, true where a cell is padding.

        Returns:
            (N, T, h, w, C) float32.
        """
        visible = (~padding_mask).float()
        return torch.cat([self._encode_axis(visible, axis) for axis in (1, 2, 3)], dim=-1)

    def _encode_axis(self, visible: Tensor, axis: int) -> Tensor:
        counts = visible.cumsum(axis)
        last = counts.narrow(axis, counts.shape[axis] - 1, 1)
        angles = (counts / (last + self.eps) * self.scale).unsqueeze(-1) / self.wave_lengths
        # Even channels take the sine, odd ones the cosine of the same wave length.
        return torch.stack([angles[..., 0::2].sin(), angles[..., 1::2].cos()], dim=-1).flatten(-2)
