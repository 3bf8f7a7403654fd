"""Transformer encoder over all cells of all frames of a clip."""

from collections.abc import Sequence

from mmengine.model import BaseModule
from torch import Tensor, nn

from mmttsrn.errors import UserInputError
from mmttsrn.models.layers import (
    TransformerEncoderLayer,
    init_xavier,
    resize_padding_mask,
    run_layer,
)
from mmttsrn.registry import MODELS
from mmttsrn.structures import ClipFeatures


@MODELS.register_module()
class SpatioTemporalEncoder(BaseModule):
    """Neck: project the coarsest map, encode it over space and time, hand on the finer maps.

    Args:
        in_channels: Channels of the backbone's maps, from the finest on; the last one is encoded.
        positional_encoding: Config of the position encoding; ``embed_dims`` is added.
        embed_dims: Channels C of the memory.
        num_layers: Encoder layers.
        num_heads: Attention heads.
        ffn_channels: Hidden width of the feed-forward parts.
        dropout: Dropout probability inside the layers.
        act_cfg: Activation of the feed-forward parts.
        with_cp: Recompute layer activations in the backward pass to save memory.
        init_cfg: MMEngine initialisation.

    Raises:
        UserInputError: If the number of maps or their channels are not those of ``in_channels``.

    Source: VisTR (CVPR 2021), section 3.2, with the GELU of TT-SRN.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        positional_encoding: dict,
        embed_dims: int = 384,
        num_layers: int = 6,
        num_heads: int = 8,
        ffn_channels: int = 2048,
        dropout: float = 0.1,
        act_cfg: dict | None = None,
        with_cp: bool = False,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.in_channels = tuple(in_channels)
        self.embed_dims = embed_dims
        self.with_cp = with_cp
        self.input_proj = nn.Conv2d(self.in_channels[-1], embed_dims, 1)
        self.positional_encoding = MODELS.build(dict(positional_encoding, embed_dims=embed_dims))
        self.layers = nn.ModuleList(
            TransformerEncoderLayer(
                embed_dims, num_heads, ffn_channels, dropout, act_cfg or dict(type="GELU")
            )
            for _ in range(num_layers)
        )

    def init_weights(self) -> None:
        """Xavier-uniform matrices in the encoder, as in DETR; ``init_cfg`` has the last word."""
        init_xavier(self.layers)
        super().init_weights()

    def forward(self, maps: Sequence[Tensor], padding_mask: Tensor) -> ClipFeatures:
        """Encode a batch of clips.

        Args:
            maps: Backbone maps (N, T, C_i, H_i, W_i), from the finest on.
            padding_mask: (N, T, H, W) bool at the size of the padded frames, true for padding.
        """
        channels = tuple(m.shape[2] for m in maps)
        if channels != self.in_channels:
            raise UserInputError(
                f"model.neck: in_channels={self.in_channels}, but the backbone gives {channels}"
            )
        (n, t), (h, w) = maps[-1].shape[:2], maps[-1].shape[-2:]
        x = self.input_proj(maps[-1].flatten(0, 1))  # N*T, C, h, w
        x = x.unflatten(0, (n, t)).permute(0, 1, 3, 4, 2).flatten(1, 3)  # N, T*h*w, C
        mask = resize_padding_mask(padding_mask, (h, w))  # N, T, h, w
        positions = self.positional_encoding(mask).to(x.dtype)
        key_mask = mask.flatten(1) if mask.any() else None
        pos = positions.flatten(1, 3)
        for layer in self.layers:
            x = run_layer(layer, x, pos, key_mask, recompute=self.with_cp)
        return ClipFeatures(
            memory=x.unflatten(1, (t, h, w)),
            positions=positions,
            padding_mask=mask,
            fine_maps=tuple(maps[:-1]),
        )
