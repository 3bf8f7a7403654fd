"""Post-norm transformer layers that never materialise a (tokens x tokens) matrix.

``nn.MultiheadAttention`` with ``need_weights=False`` runs on ``scaled_dot_product_attention``;
parameter names are those of PyTorch's layers and of DETR.
"""

from mmcv.cnn import build_activation_layer
from torch import Tensor, nn


class _FeedForwardLayer(nn.Module):
    """Base of the layers below: the feed-forward part, with the names of PyTorch's layers."""

    linear1: nn.Linear
    linear2: nn.Linear
    dropout: nn.Dropout
    activation: nn.Module

    def _add_ffn(self, embed_dims: int, ffn_channels: int, dropout: float, act_cfg: dict) -> None:
        self.linear1 = nn.Linear(embed_dims, ffn_channels)
        self.linear2 = nn.Linear(ffn_channels, embed_dims)
        self.activation = build_activation_layer(act_cfg)
        self.dropout = nn.Dropout(dropout)

    def _ffn(self, x: Tensor) -> Tensor:
        return self.dropout(self.linear2(self.dropout(self.activation(self.linear1(x)))))


class TransformerEncoderLayer(_FeedForwardLayer):
    """Self-attention and feed-forward, norm after each residual.

    Args:
        embed_dims: Channels C of a token.
        num_heads: Attention heads.
        ffn_channels: Hidden width of the feed-forward part.
        dropout: Dropout probability of attention weights, residuals and hidden units.
        act_cfg: Activation of the feed-forward part.
    """

    def __init__(
        self, embed_dims: int, num_heads: int, ffn_channels: int, dropout: float, act_cfg: dict
    ) -> None:
        super().__init__()
        self.self_attn = nn.MultiheadAttention(embed_dims, num_heads, dropout, batch_first=True)
        self._add_ffn(embed_dims, ffn_channels, dropout, act_cfg)
        self.norm1 = nn.LayerNorm(embed_dims)
        self.norm2 = nn.LayerNorm(embed_dims)

    def forward(self, x: Tensor, pos: Tensor, padding_mask: Tensor | None) -> Tensor:
        """Update tokens.

        Args:
            x: Tokens (N, S, C).
            pos: Position encodings (N, S, C), added to queries and keys.
            padding_mask: (N, S) bool, true for keys to ignore; None if nothing is padding.

        Returns:
            Tokens (N, S, C); padded ones get a value too.
        """
        q = x + pos
        out, _ = self.self_attn(q, q, x, key_padding_mask=padding_mask, need_weights=False)
        x = self.norm1(x + self.dropout(out))
        return self.norm2(x + self._ffn(x))


class TransformerDecoderLayer(_FeedForwardLayer):
    """Self-attention of queries, cross-attention to memory, feed-forward; post-norm.

    Args:
        embed_dims: Channels C of a token.
        num_heads: Attention heads.
        ffn_channels: Hidden width of the feed-forward part.
        dropout: Dropout probability of attention weights, residuals and hidden units.
        act_cfg: Activation of the feed-forward part.
    """

    def __init__(
        self, embed_dims: int, num_heads: int, ffn_channels: int, dropout: float, act_cfg: dict
    ) -> None:
        super().__init__()
        self.self_attn = nn.MultiheadAttention(embed_dims, num_heads, dropout, batch_first=True)
        self.multihead_attn = nn.MultiheadAttention(
            embed_dims, num_heads, dropout, batch_first=True
        )
        self._add_ffn(embed_dims, ffn_channels, dropout, act_cfg)
        self.norm1 = nn.LayerNorm(embed_dims)
        self.norm2 = nn.LayerNorm(embed_dims)
        self.norm3 = nn.LayerNorm(embed_dims)

    def forward(
        self, x: Tensor, query_pos: Tensor, key: Tensor, value: Tensor, padding_mask: Tensor | None
    ) -> Tensor:
        """Update queries.

        Args:
            x: Queries (N, T*Q, C).
            query_pos: Query embeddings (N, T*Q, C), added to queries and keys of self-attention
                and to the queries of cross-attention.
            key: Memory plus its position encodings (N, S, C).
            value: Memory (N, S, C).
            padding_mask: (N, S) bool, true for keys to ignore; None if nothing is padding.

        Returns:
            Queries (N, T*Q, C).
        """
        q = x + query_pos
        out, _ = self.self_attn(q, q, x, need_weights=False)
        x = self.norm1(x + self.dropout(out))
        out, _ = self.multihead_attn(
            x + query_pos, key, value, key_padding_mask=padding_mask, need_weights=False
        )
        x = self.norm2(x + self.dropout(out))
        return self.norm3(x + self._ffn(x))


class MaskedAttentionLayer(_FeedForwardLayer):
    """Cross-attention to a part of the cells, self-attention of queries, feed-forward; post-norm.

    Args:
        embed_dims: Channels C of a token.
        num_heads: Attention heads.
        ffn_channels: Hidden width of the feed-forward part.
        dropout: Dropout probability of attention weights, residuals and hidden units.
        act_cfg: Activation of the feed-forward part.

    Source: Mask2Former (CVPR 2022), section 3.2.
    """

    def __init__(
        self, embed_dims: int, num_heads: int, ffn_channels: int, dropout: float, act_cfg: dict
    ) -> None:
        super().__init__()
        self.multihead_attn = nn.MultiheadAttention(
            embed_dims, num_heads, dropout, batch_first=True
        )
        self.self_attn = nn.MultiheadAttention(embed_dims, num_heads, dropout, batch_first=True)
        self._add_ffn(embed_dims, ffn_channels, dropout, act_cfg)
        self.norm1 = nn.LayerNorm(embed_dims)
        self.norm2 = nn.LayerNorm(embed_dims)
        self.norm3 = nn.LayerNorm(embed_dims)

    def forward(
        self, x: Tensor, query_pos: Tensor, key: Tensor, value: Tensor, blocked: Tensor
    ) -> Tensor:
        """Update queries.

        Args:
            x: Queries (N, Q, C).
            query_pos: Query embeddings (N, Q, C), added to queries and keys.
            key: Cells plus their position encodings (N, S, C).
            value: Cells (N, S, C).
            blocked: (N*heads, Q, S) bool, true for cells that a query does not attend to.

        Returns:
            Queries (N, Q, C).
        """
        out, _ = self.multihead_attn(
            x + query_pos, key, value, attn_mask=blocked, need_weights=False
        )
        x = self.norm1(x + self.dropout(out))
        q = x + query_pos
        out, _ = self.self_attn(q, q, x, need_weights=False)
        x = self.norm2(x + self.dropout(out))
        return self.norm3(x + self._ffn(x))
