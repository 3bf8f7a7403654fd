"""Attention maps of instance queries over the memory of their own frame."""

import torch
from torch import Tensor, nn


class BoxAttention(nn.Module):
    """Multi-head attention weights, with one softmax over heads and cells together.

    Source: behaviour of the VisTR reference: the maps of all heads of a query sum to 1.
    """

    def __init__(self, embed_dims: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.q_linear = nn.Linear(embed_dims, embed_dims)
        self.k_linear = nn.Linear(embed_dims, embed_dims)
        self.scale = (embed_dims // num_heads) ** -0.5
        for linear in (self.q_linear, self.k_linear):
            nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)

    def keys(self, memory: Tensor) -> Tensor:
        """Project memory (N, T, h, w, C) to keys of the same shape, once for all instances."""
        return self.k_linear(memory)

    def forward(self, queries: Tensor, keys: Tensor, padding_mask: Tensor) -> Tensor:
        """Attention maps.

        Args:
            queries: Decoder states (M, T, C) of M instances.
            keys: Keys (M, T, h, w, C) of the clip of each instance.
            padding_mask: (M, T, h, w) bool, true for padding, which gets weight 0.

        Returns:
            (M, T, heads, h, w).
        """
        q = self.q_linear(queries).unflatten(-1, (self.num_heads, -1))
        k = keys.unflatten(-1, (self.num_heads, -1))
        scores = torch.einsum("mtnc,mthwnc->mtnhw", q * self.scale, k)
        scores = scores.masked_fill(padding_mask.unsqueeze(2), float("-inf"))
        # A frame that is padding altogether has no finite score: its maps are 0, not NaN.
        weights = scores.flatten(2).softmax(-1).nan_to_num(0.0)
        return weights.view_as(scores)
