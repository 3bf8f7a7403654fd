"""Pixel decoders of MMDetection, frame by frame."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from mmengine.config import ConfigDict
from mmengine.model import BaseModule

from mmttsrn.registry import MODELS
from mmttsrn.structures import ClipFeatures


@MODELS.register_module()
class FramePixelDecoder(BaseModule):
    """Pixel decoder: one for images, such as ``mmdet.MSDeformAttnPixelDecoder``, on each frame.

    Args:
        decoder: Config of a module that maps maps (B, C_i, H_i, W_i), from the finest on, to the
            mask features (B, C_m, H/4, W/4) and a list of maps (B, C, H_i, W_i), from the coarsest
            on.
        in_channels: Channels C_i of the maps, which the decoder gets; its own config comes first.
        init_cfg: MMEngine initialisation.

    The decoder runs in single precision, as in Mask2Former: MMCV's multi-scale deformable attention
    has no bfloat16 on a GPU.

    Source: Mask2Former (CVPR 2022), section 3.2.
    """

    def __init__(
        self,
        decoder: dict,
        in_channels: Sequence[int] = (),
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        if in_channels:
            decoder = dict(in_channels=list(in_channels)) | decoder
        # Those of mmdet read their parts as attributes.
        self.decoder = MODELS.build(ConfigDict(decoder))

    def forward(self, features: ClipFeatures) -> ClipFeatures:
        """Decode the maps of a batch of clips; gives ``levels`` and ``mask_features``."""
        maps = features.maps
        batch = maps[0].shape[:2]
        with torch.autocast(maps[0].device.type, enabled=False):
            mask_features, levels = self.decoder([m.flatten(0, 1).float() for m in maps])
        return replace(
            features,
            levels=tuple(level.unflatten(0, batch) for level in levels),
            mask_features=mask_features.unflatten(0, batch),
        )
