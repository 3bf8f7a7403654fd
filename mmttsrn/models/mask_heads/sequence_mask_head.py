"""Masks of whole instance sequences."""

from collections.abc import Sequence

import torch
from mmcv.cnn import build_activation_layer
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmttsrn.models.layers import run_layer
from mmttsrn.models.mask_heads.box_attention import BoxAttention
from mmttsrn.models.mask_heads.instance_mask_fpn import InstanceMaskFPN
from mmttsrn.registry import MODELS
from mmttsrn.structures import ClipFeatures


@MODELS.register_module()
class SequenceMaskHead(BaseModule):
    """Mask head: box-attention maps, FPN with deformable convolution, 3-D convolutions over time.

    Args:
        embed_dims: Channels C of memory and decoder states.
        fine_channels: Channels of the backbone's finer maps, from the finest on.
        num_heads: Attention maps per instance and frame.
        fpn_channels: Widths at which each finer map is joined, from the coarsest on; by default
            C/2, C/4, C/8.
        feat_channels: Channels of the mask features; by default C/16.
        seq_channels: Channels of the 3-D convolutions; by default C/32.
        num_groups: Groups of the group norms of the FPN.
        seq_num_groups: Groups of the group norms of the 3-D convolutions.
        act_cfg: Activation after each group norm.
        deform_backend: ``"mmcv"``, or ``"grid_sample"`` for training on a CPU; the same function
            of the same parameters, so checkpoints fit both.
        max_images: Most (instance, frame) images computed at a time; bounds the memory. A sequence
            always stays together for the 3-D convolutions. The result does not depend on it.
        with_cp: Recompute each chunk in the backward pass, so that the bound holds in training.
        init_cfg: MMEngine initialisation.

    Source: behaviour of the VisTR mask head, with the GELU of TT-SRN.
    """

    def __init__(
        self,
        embed_dims: int = 384,
        fine_channels: Sequence[int] = (64, 128, 256),
        num_heads: int = 8,
        fpn_channels: Sequence[int] | None = None,
        feat_channels: int | None = None,
        seq_channels: int | None = None,
        num_groups: int = 8,
        seq_num_groups: int = 4,
        act_cfg: dict | None = None,
        deform_backend: str = "mmcv",
        max_images: int = 72,
        with_cp: bool = False,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        act_cfg = act_cfg or dict(type="GELU")
        feat_channels = feat_channels or embed_dims // 16
        self.max_images = max_images
        self.with_cp = with_cp
        self.box_attention = BoxAttention(embed_dims, num_heads)
        self.fpn = InstanceMaskFPN(
            embed_dims,
            num_heads,
            fine_channels,
            fpn_channels or [embed_dims // 2, embed_dims // 4, embed_dims // 8],
            feat_channels,
            num_groups,
            act_cfg,
            deform_backend,
        )
        self.sequence_convs = _sequence_convs(
            feat_channels, seq_channels or embed_dims // 32, seq_num_groups, act_cfg
        )

    def forward(
        self, features: ClipFeatures, states: Tensor, instances: Tensor | None = None
    ) -> Tensor:
        """Compute mask logits.

        Args:
            features: Output of the neck for N clips of T frames.
            states: Decoder states (N, T, Q, C) of the layer that predicts masks.
            instances: (M, 2) int64 rows (clip, instance) to compute; by default all N*Q in order.

        Returns:
            Mask logits (M, T, H/4, W/4).
        """
        n, t, q, _ = states.shape
        if instances is None:
            instances = torch.cartesian_prod(torch.arange(n), torch.arange(q)).to(states.device)
        memory = features.memory.permute(0, 1, 4, 2, 3).flatten(0, 1)  # N*T, C, h, w
        terms = self.fpn.frame_terms(memory, [m.flatten(0, 1) for m in features.fine_maps])
        terms = [term.unflatten(0, (n, t)) for term in terms]
        shared = (states, self.box_attention.keys(features.memory), features.padding_mask, *terms)
        chunks = instances.split(max(1, self.max_images // t))
        return torch.cat(
            [run_layer(self._chunk_logits, c, *shared, recompute=self.with_cp) for c in chunks]
        )

    def mask_features(
        self, instances: Tensor, states: Tensor, keys: Tensor, padding_mask: Tensor, *terms: Tensor
    ) -> Tensor:
        """Mask features (m, T, C_feat, H/4, W/4) of a chunk of instances; see ``forward``."""
        t = states.shape[1]
        clip, slot = instances.unbind(1)
        # Not keys[clip]: on several CPU threads its gradient is summed in no fixed order.
        keys = keys.index_select(0, clip)
        attention = self.box_attention(states[clip, :, slot], keys, padding_mask[clip])
        frame = (clip[:, None] * t + torch.arange(t, device=clip.device)).flatten()  # m*T
        terms = tuple(term.flatten(0, 1) for term in terms)
        images = [
            self.fpn(maps, [term.index_select(0, index) for term in terms])
            for maps, index in zip(
                attention.flatten(0, 1).split(self.max_images),
                frame.split(self.max_images),
                strict=True,
            )
        ]
        return torch.cat(images).unflatten(0, (-1, t))

    def _chunk_logits(
        self, instances: Tensor, states: Tensor, keys: Tensor, padding_mask: Tensor, *terms: Tensor
    ) -> Tensor:
        x = self.mask_features(instances, states, keys, padding_mask, *terms)
        return self.sequence_convs(x.transpose(1, 2)).squeeze(1)  # m, T, H/4, W/4


def _sequence_convs(
    in_channels: int, channels: int, num_groups: int, act_cfg: dict, num_convs: int = 3
) -> nn.Sequential:
    """3x3x3 convolutions dilated by 2 in time too, with group norm, then 1x1x1 to one channel."""
    layers: list[nn.Module] = []
    for _ in range(num_convs):
        layers += [
            nn.Conv3d(in_channels, channels, 3, padding=2, dilation=2),
            nn.GroupNorm(num_groups, channels),
            build_activation_layer(act_cfg),
        ]
        in_channels = channels
    return nn.Sequential(*layers, nn.Conv3d(channels, 1, 1))
