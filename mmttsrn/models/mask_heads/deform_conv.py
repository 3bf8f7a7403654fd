"""Deformable convolution that predicts its own offsets."""

import torch
import torch.nn.functional as F
from mmcv.ops import DeformConv2d
from torch import Tensor, nn

from mmttsrn.errors import UserInputError

KERNEL_SIZE = 3


class OffsetDeformConv2d(nn.Module):
    """3x3 deformable convolution (mmcv's) with offsets from a zero-initialised 1x1 convolution.

    Runs in single precision under autocast, too: half precision cannot tell places in a wide map
    apart, and mmcv's op has no bfloat16.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        backend: ``"mmcv"`` runs mmcv's op. ``"grid_sample"`` computes the same sums from the same
            parameters with PyTorch's bilinear sampling; mmcv's backward pass on a CPU is serial
            and more than ten times slower.

    Raises:
        UserInputError: If ``backend`` is neither.

    Source: behaviour of the VisTR mask head; Deformable Convolutional Networks (ICCV 2017).
    """

    def __init__(self, in_channels: int, out_channels: int, backend: str = "mmcv") -> None:
        super().__init__()
        if backend not in ("mmcv", "grid_sample"):
            raise UserInputError(f'deform_backend={backend!r} must be "mmcv" or "grid_sample"')
        self.backend = backend
        self.conv_offset = nn.Conv2d(in_channels, 2 * KERNEL_SIZE**2, 1)
        self.dcn = DeformConv2d(in_channels, out_channels, KERNEL_SIZE, padding=1)
        for parameter in self.conv_offset.parameters():
            nn.init.zeros_(parameter)
        nn.init.kaiming_uniform_(self.dcn.weight, a=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C_in, H, W) to (B, C_out, H, W), in the precision of ``x``."""
        with torch.autocast(x.device.type, enabled=False):
            return self._convolve(x.float()).to(x.dtype)

    def _convolve(self, x: Tensor) -> Tensor:
        offset = self.conv_offset(x)
        if self.backend == "grid_sample":
            return sampled_deform_conv2d(x, offset, self.dcn.weight)
        # mmcv asserts that the step divides the batch: take the largest one that does.
        self.dcn.im2col_step = next(s for s in range(32, 0, -1) if len(x) % s == 0)
        return self.dcn(x, offset)


def sampled_deform_conv2d(x: Tensor, offset: Tensor, weight: Tensor) -> Tensor:
    """3x3 deformable convolution with stride 1 and padding 1, by bilinear sampling.

    Args:
        x: (B, C_in, H, W).
        offset: (B, 18, H, W) in cells; channel 2k is the vertical shift of tap k, 2k+1 the
            horizontal one, taps row by row.
        weight: (C_out, C_in, 3, 3).

    Returns:
        (B, C_out, H, W); samples outside the map count as zero.
    """
    h, w = x.shape[-2:]
    taps = torch.arange(KERNEL_SIZE, device=x.device) - KERNEL_SIZE // 2
    tap_y = taps.repeat_interleave(KERNEL_SIZE)[:, None, None]
    tap_x = taps.repeat(KERNEL_SIZE)[:, None, None]
    rows = torch.arange(h, device=x.device)[:, None] + tap_y  # 9, H, 1
    columns = torch.arange(w, device=x.device) + tap_x  # 9, 1, W
    shift_y, shift_x = offset.unflatten(1, (KERNEL_SIZE**2, 2)).unbind(2)  # B, 9, H, W
    # Cell centres without corner alignment: cell i lies at (2 i + 1) / size - 1.
    grid_x = (2 * (columns + shift_x) + 1) / w - 1
    grid_y = (2 * (rows + shift_y) + 1) / h - 1
    grid = torch.stack([grid_x, grid_y], dim=-1).flatten(1, 2)  # B, 9*H, W, 2
    samples = F.grid_sample(x, grid.to(x.dtype), align_corners=False)  # B, C_in, 9*H, W
    unfolded = samples.unflatten(2, (KERNEL_SIZE**2, h)).flatten(1, 2).flatten(2)  # B, C*9, H*W
    return (weight.flatten(1) @ unfolded).unflatten(2, (h, w))
