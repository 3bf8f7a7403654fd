"""Post-norm transformer layers that never materialise a (tokens x tokens) matrix.

``nn.MultiheadAttention`` with ``need_weights=False`` runs on ``scaled_dot_product_attention``;
parameter names are those of PyTorch's layers and of DETR.
"""

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from mmcv.cnn import build_activation_layer
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


class _TransformerLayer(nn.Module):
    """Base of the layers: attention and feed-forward parts, a norm after each.

    Args:
        embed_dims: Channels C of a token.
        num_heads: Attention heads.
        ffn_channels: Hidden width of the feed-forward part.
        dropout: Dropout probability of attention weights, residuals and hidden units.
        act_cfg: Activation of the feed-forward part.
    """

    attentions: ClassVar[tuple[str, ...]]
    self_attn: nn.MultiheadAttention
    multihead_attn: nn.MultiheadAttention
    norm1: nn.LayerNorm
    norm2: nn.LayerNorm
    norm3: nn.LayerNorm

    def __init__(
        self, embed_dims: int, num_heads: int, ffn_channels: int, dropout: float, act_cfg: dict
    ) -> None:
        super().__init__()
        for name in self.attentions:
            attention = nn.MultiheadAttention(embed_dims, num_heads, dropout, batch_first=True)
            self.add_module(name, attention)
        self.linear1 = nn.Linear(embed_dims, ffn_channels)
        self.linear2 = nn.Linear(ffn_channels, embed_dims)
        self.activation = build_activation_layer(act_cfg)
        self.dropout = nn.Dropout(dropout)
        for index in range(len(self.attentions) + 1):
            self.add_module(f"norm{index + 1}", nn.LayerNorm(embed_dims))

    def zero_residuals(self) -> None:
        """Set the weights to 0 by which the parts add to their input."""
        for name in self.attentions:
            nn.init.zeros_(getattr(self, name).out_proj.weight)
        nn.init.zeros_(self.linear2.weight)

    def _self_attention(self, x: Tensor, pos: Tensor, mask: Tensor | None = None) -> Tensor:
        q = x + pos
        out, _ = self.self_attn(q, q, x, key_padding_mask=mask, need_weights=False)
        return x + self.dropout(out)

    def _cross_attention(self, q: Tensor, x: Tensor, *memory: Tensor, **masks: Any) -> Tensor:
        out, _ = self.multihead_attn(q, *memory, **masks, need_weights=False)
        return x + self.dropout(out)

    def _ffn(self, x: Tensor) -> Tensor:
        hidden = self.dropout(self.activation(self.linear1(x)))
        return x + self.dropout(self.linear2(hidden))


class TransformerEncoderLayer(_TransformerLayer):
    """Self-attention and feed-forward."""

    attentions = ("self_attn",)

    def forward(self, x: Tensor, pos: Tensor, padding_mask: Tensor | None) -> Tensor:
        """Update tokens.

        Args:
            x: Tokens (N, S, C).
            pos: Position encodings (N, S, C), added to queries and keys.
            padding_mask: (N, S) bool, true for keys to ignore; None if nothing is padding.

        Returns:
            Tokens (N, S, C); padded ones get a value too.
        """
        return self.norm2(self._ffn(self.norm1(self._self_attention(x, pos, padding_mask))))


class TransformerDecoderLayer(_TransformerLayer):
    """Self-attention of queries, cross-attention to memory, feed-forward."""

    attentions = ("self_attn", "multihead_attn")

    def forward(
        self, x: Tensor, query_pos: Tensor, key: Tensor, value: Tensor, padding_mask: Tensor | None
    ) -> Tensor:
        """Update queries (N, T*Q, C).

        Args:
            x: Queries.
            query_pos: Query embeddings, added to queries and keys of self-attention and to the
                queries of cross-attention.
            key: Memory plus its position encodings (N, S, C).
            value: Memory (N, S, C).
            padding_mask: (N, S) bool, true for keys to ignore; None if nothing is padding.
        """
        x = self.norm1(self._self_attention(x, query_pos))
        x = self._cross_attention(x + query_pos, x, key, value, key_padding_mask=padding_mask)
        return self.norm3(self._ffn(self.norm2(x)))


class MaskedAttentionLayer(_TransformerLayer):
    """Cross-attention to a part of the cells, self-attention of queries, feed-forward.

    Source: Mask2Former (CVPR 2022), section 3.2.
    """

    attentions = ("multihead_attn", "self_attn")

    def forward(
        self, x: Tensor, query_pos: Tensor, key: Tensor, value: Tensor, blocked: Tensor
    ) -> Tensor:
        """Update queries (N, Q, C).

        Args:
            x: Queries.
            query_pos: Query embeddings, added to queries and keys.
            key: Cells plus their position encodings (N, S, C).
            value: Cells (N, S, C).
            blocked: (N*heads, Q, S) bool, true for cells that a query does not attend to.
        """
        x = self._cross_attention(x + query_pos, x, key, value, attn_mask=blocked)
        x = self._self_attention(self.norm1(x), query_pos)
        return self.norm3(self._ffn(self.norm2(x)))


def init_xavier(layers: nn.Module) -> None:
    """Start the matrices of layers Xavier-uniform, as in DETR."""
    for parameter in layers.parameters():
        if parameter.dim() > 1:
            nn.init.xavier_uniform_(parameter)


def run_layer(layer: Callable, *args: Any, recompute: bool) -> Any:
    """Call a layer; with ``recompute`` its activations are computed anew in the backward pass."""
    if recompute and torch.is_grad_enabled():
        return checkpoint(layer, *args, use_reentrant=False)
    return layer(*args)
