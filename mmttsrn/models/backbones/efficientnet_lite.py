"""EfficientNet-Lite: inverted residual blocks without squeeze-and-excitation."""

import math

import torch
from mmcv.cnn.bricks import Conv2dAdaptivePadding
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmttsrn.models.layers import fix_batch_norms, run_layer
from mmttsrn.registry import MODELS

# Width and depth in relation to Lite0.
PRESETS = {"lite0": (1.0, 1.0), "lite1": (1.0, 1.1), "lite2": (1.1, 1.2)}
# Of Lite0: blocks, kernel size, stride of the first block, expansion, channels.
GROUPS = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
LAST_GROUPS = (1, 2, 4, 6)  # of the strides 4, 8, 16 and 32
STEM_CHANNELS = 32


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


class InvertedResidual(nn.Module):
    """Expansion by a 1x1 convolution, depth-wise convolution, projection; an identity if it fits.

    Names of parts are those of the published checkpoints.
    """

    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        width = c_in * expansion
        self._expand_conv = None
        if expansion > 1:
            self._expand_conv = nn.Conv2d(c_in, width, 1, bias=False)
            self._bn0 = _norm(width)
        self._depthwise_conv = Conv2dAdaptivePadding(
            width, width, kernel, stride, groups=width, bias=False
        )
        self._bn1 = _norm(width)
        self._project_conv = nn.Conv2d(width, c_out, 1, bias=False)
        self._bn2 = _norm(c_out)
        self.activation = nn.ReLU6(inplace=True)
        self.with_identity = stride == 1 and c_in == c_out

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C_in, H, W) to (B, C_out, ceil(H / stride), ceil(W / stride))."""
        y = x
        if self._expand_conv is not None:
            y = self.activation(self._bn0(self._expand_conv(y)))
        y = self.activation(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return x + y if self.with_identity else y


@MODELS.register_module()
class EfficientNetLite(BaseModule):
    """EfficientNet-Lite backbone with feature maps at strides 4, 8, 16 and 32.

    Convolutions pad as TensorFlow does, so that a map has ``ceil(H / stride)`` rows whatever the
    size of the frame. Parameter names are those of ``efficientnet_lite_pytorch``, whose weights
    load as they are (its classifier and the convolution before it are left over).

    Args:
        arch: ``"lite0"``, ``"lite1"`` or ``"lite2"``.
        frozen_stages: The stem and the blocks up to the map of this index stay fixed; -1 freezes
            none.
        norm_eval: Keep batch norms as they were in ImageNet training: mean and variance of the
            few small frames of a batch are no replacement. False for random weights.
        with_cp: Recompute blocks in the backward pass to save memory.
        init_cfg: MMEngine initialisation, e.g. ``dict(type="mmttsrn.PretrainedWeights",
            checkpoint=...)``.

    Raises:
        KeyError: ``arch`` is none of these.

    Source: "EfficientNet" (ICML 2019) as changed in the Lite models of its authors (2020): no
    squeeze-and-excitation, ReLU6, one width of the stem and one block in the first and the last
    group for all.
    """

    def __init__(
        self,
        arch: str = "lite0",
        frozen_stages: int = -1,
        norm_eval: bool = True,
        with_cp: bool = False,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        width, depth = PRESETS[arch]
        self.frozen_stages = frozen_stages
        self.norm_eval = norm_eval
        self.with_cp = with_cp
        counts = [
            blocks if group in (0, len(GROUPS) - 1) else math.ceil(depth * blocks)
            for group, (blocks, *_) in enumerate(GROUPS)
        ]
        self._conv_stem = Conv2dAdaptivePadding(3, STEM_CHANNELS, 3, 2, bias=False)
        self._bn0 = _norm(STEM_CHANNELS)
        self.activation = nn.ReLU6(inplace=True)
        self._blocks = nn.ModuleList()
        self.map_blocks = []  # the last block of each map
        channels = STEM_CHANNELS
        for group, (_, kernel, stride, expansion, c_out) in enumerate(GROUPS):
            c_out = _rounded(c_out * width)
            for index in range(counts[group]):
                self._blocks.append(
                    InvertedResidual(channels, c_out, kernel, 1 if index else stride, expansion)
                )
                channels = c_out
            if group in LAST_GROUPS:
                self.map_blocks.append(len(self._blocks) - 1)
        self._freeze()

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Map frames (B, 3, H, W) to four maps (B, C_i, H_i, W_i), from the finest on."""
        # Depth-wise convolutions run faster with channels last; the maps keep that order.
        x = x.contiguous(memory_format=torch.channels_last)
        x = self.activation(self._bn0(self._conv_stem(x)))
        maps = []
        for index, block in enumerate(self._blocks):
            x = run_layer(block, x, recompute=self.with_cp)
            if index in self.map_blocks:
                maps.append(x)
        return tuple(maps)

    def train(self, mode: bool = True) -> "EfficientNetLite":
        """Set the mode, keeping frozen parts and, with ``norm_eval``, norms fixed."""
        super().train(mode)
        self._freeze()
        return self

    def _freeze(self) -> None:
        if self.norm_eval:
            fix_batch_norms(self)
        if self.frozen_stages >= 0:
            count = self.map_blocks[self.frozen_stages] + 1
            for part in (self._conv_stem, self._bn0, *self._blocks[:count]):
                part.eval().requires_grad_(False)


def _rounded(channels: float) -> int:
    """Nearest multiple of 8, or the next one if that takes more than a tenth away."""
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * channels else nearest
