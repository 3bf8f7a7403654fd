"""Feature pyramid of convolutions, from the memory down to stride 4."""

from collections.abc import Sequence
from dataclasses import replace

import torch.nn.functional as F
from mmcv.cnn import ConvModule, build_activation_layer
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmttsrn.registry import MODELS
from mmttsrn.structures import ClipFeatures


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions and an identity."""

    def __init__(self, channels: int, norm_cfg: dict, act_cfg: dict) -> None:
        super().__init__()
        self.conv1 = ConvModule(
            channels, channels, 3, padding=1, norm_cfg=norm_cfg, act_cfg=act_cfg
        )
        self.conv2 = ConvModule(channels, channels, 3, padding=1, norm_cfg=norm_cfg, act_cfg=None)
        self.activation = build_activation_layer(act_cfg)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to the same shape."""
        return self.activation(x + self.conv2(self.conv1(x)))


@MODELS.register_module()
class FPNPixelDecoder(BaseModule):
    """Pixel decoder: add the memory to ever finer maps, frame by frame.

    What the encoder knows of the other frames comes down from the memory.

    Args:
        in_channels: Channels of the maps, from the finest on; the last one is the memory.
        channels: Width at each stride but the memory's, from the coarsest on.
        num_blocks: Residual blocks at each of these strides.
        out_channels: Channels C_m of the mask features.
        norm_cfg: Normalisation of the convolutions.
        act_cfg: Activation.
        init_cfg: MMEngine initialisation.

    Source: Feature Pyramid Networks (CVPR 2017); the place of a pixel decoder in MaskFormer
    (NeurIPS 2021).
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        channels: Sequence[int],
        num_blocks: Sequence[int],
        out_channels: int,
        norm_cfg: dict | None = None,
        act_cfg: dict | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        norm_cfg, act_cfg = norm_cfg or dict(type="GN", num_groups=8), act_cfg or dict(type="GELU")
        *finer, memory_channels = in_channels
        self.lateral_convs = nn.ModuleList()
        self.top_down_convs = nn.ModuleList()
        self.output_blocks = nn.ModuleList()
        above = memory_channels
        for fine, width, count in zip(reversed(finer), channels, num_blocks, strict=True):
            self.lateral_convs.append(nn.Conv2d(fine, width, 1))
            self.top_down_convs.append(nn.Conv2d(above, width, 1))
            self.output_blocks.append(
                nn.Sequential(
                    ConvModule(width, width, 3, padding=1, norm_cfg=norm_cfg, act_cfg=act_cfg),
                    *(ResidualBlock(width, norm_cfg, act_cfg) for _ in range(count)),
                )
            )
            above = width
        self.mask_feature = nn.Conv2d(above, out_channels, 1)

    def forward(self, features: ClipFeatures) -> ClipFeatures:
        """Add ``levels``, the memory first, and ``mask_features`` at the finest stride."""
        maps = features.maps
        batch = maps[0].shape[:2]
        *finer, x = (m.flatten(0, 1) for m in maps)
        levels = [maps[-1]]
        convs = (self.lateral_convs, self.top_down_convs, self.output_blocks)
        for fine, lateral, top_down, block in zip(reversed(finer), *convs, strict=True):
            size = fine.shape[-2:]
            above = F.interpolate(top_down(x), size=size, mode="bilinear", align_corners=False)
            x = block(lateral(fine) + above)
            levels.append(x.unflatten(0, batch))
        return replace(
            features,
            levels=tuple(levels[:-1]),
            mask_features=self.mask_feature(x).unflatten(0, batch),
        )
