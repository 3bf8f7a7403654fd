import pytest
import torch
import torch.nn.functional as F

from mmttsrn.models.layers import (
    MaskedAttentionLayer,
    TransformerDecoderLayer,
    TransformerEncoderLayer,
)

SETTINGS = dict(embed_dims=12, num_heads=2, ffn_channels=16, dropout=0.0)


@pytest.fixture
def encoder_layer() -> TransformerEncoderLayer:
    return TransformerEncoderLayer(**SETTINGS, act_cfg=dict(type="GELU")).eval()


@pytest.fixture
def decoder_layer() -> TransformerDecoderLayer:
    return TransformerDecoderLayer(**SETTINGS, act_cfg=dict(type="GELU")).eval()


def test_encoder_adds_positions_to_queries_and_keys_only(encoder_layer) -> None:
    # A shift of all positions changes scores; with values untouched and a single token it has no
    # effect, because one key gets all the attention.
    x, pos = torch.rand(1, 1, 12), torch.rand(1, 1, 12)
    torch.testing.assert_close(encoder_layer(x, pos, None), encoder_layer(x, 0 * pos, None))
    x, pos = torch.rand(1, 5, 12), torch.rand(1, 5, 12)
    assert not torch.allclose(encoder_layer(x, pos, None), encoder_layer(x, 0 * pos, None))


def test_encoder_ignores_padded_keys(encoder_layer) -> None:
    x, pos = torch.rand(2, 6, 12), torch.rand(2, 6, 12)
    padding = torch.tensor([[False] * 4 + [True] * 2, [False] * 6])
    garbage = torch.where(padding[..., None], torch.full_like(x, 1e4), x)
    clean, dirty = (encoder_layer(tokens, pos, padding) for tokens in (x, garbage))
    assert torch.equal(clean[~padding], dirty[~padding])


def test_decoder_ignores_padded_keys(decoder_layer) -> None:
    x, query_pos = torch.rand(1, 3, 12), torch.rand(1, 3, 12)
    memory, pos = torch.rand(1, 5, 12), torch.rand(1, 5, 12)
    padding = torch.tensor([[False] * 3 + [True] * 2])
    garbage = torch.where(padding[..., None], torch.full_like(memory, -1e4), memory)
    clean, dirty = (decoder_layer(x, query_pos, m + pos, m, padding) for m in (memory, garbage))
    assert torch.equal(clean, dirty)


def test_decoder_compares_keys_and_returns_values(decoder_layer) -> None:
    x, query_pos, key, value = (torch.rand(1, 3, 12) for _ in range(4))
    expected = decoder_layer(x, query_pos, key, value, None)
    assert not torch.allclose(decoder_layer(x, query_pos, -key, value, None), expected)
    # A single key gets all the attention, whatever it is.
    key, value = key[:, :1], value[:, :1]
    expected = decoder_layer(x, query_pos, key, value, None)
    torch.testing.assert_close(decoder_layer(x, query_pos, -key, value, None), expected)
    assert not torch.allclose(decoder_layer(x, query_pos, key, -value, None), expected)


class TestMaskedAttentionLayer:
    n, q, s, heads = 2, 4, 7, SETTINGS["num_heads"]

    @pytest.fixture
    def layer(self) -> MaskedAttentionLayer:
        return MaskedAttentionLayer(**SETTINGS, act_cfg=dict(type="GELU")).eval()

    @pytest.fixture
    def inputs(self) -> tuple[torch.Tensor, ...]:
        """Queries, their positions, keys and values."""
        c = SETTINGS["embed_dims"]
        return tuple(torch.randn(self.n, size, c) for size in (self.q, self.q, self.s, self.s))

    @pytest.fixture
    def blocked(self) -> torch.Tensor:
        """Cells that a query does not attend to (N, Q, S)."""
        blocked = torch.rand(self.n, self.q, self.s) < 0.5
        blocked[..., 0] = False
        return blocked

    def attend(self, attention, q, k, v, mask) -> torch.Tensor:
        """PyTorch's attention of the heads, between the projections of the layer."""
        weights = zip(
            attention.in_proj_weight.chunk(3), attention.in_proj_bias.chunk(3), strict=True
        )
        q, k, v = (
            F.linear(x, *wb).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for x, wb in zip((q, k, v), weights, strict=True)
        )
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return attention.out_proj(out.transpose(1, 2).flatten(2))

    def test_is_masked_cross_attention_then_self_attention(self, layer, inputs, blocked) -> None:
        x, pos, key, value = inputs
        out = layer(*inputs, blocked.repeat_interleave(self.heads, 0))
        cross = self.attend(layer.multihead_attn, x + pos, key, value, ~blocked[:, None])
        x = layer.norm1(x + cross)
        x = layer.norm2(x + self.attend(layer.self_attn, x + pos, x + pos, x, None))
        hidden = layer.linear2(F.gelu(layer.linear1(x)))
        torch.testing.assert_close(out, layer.norm3(x + hidden))

    def test_blocked_cells_have_no_influence(self, layer, inputs, blocked) -> None:
        x, pos, key, value = inputs
        blocked[:] = blocked[:1, :1]  # the same cells for all queries
        dirty = [torch.where(blocked[:, 0, :, None], 1e4, cells) for cells in (key, value)]
        mask = blocked.repeat_interleave(self.heads, 0)
        assert torch.equal(layer(x, pos, *dirty, mask), layer(*inputs, mask))
        assert not torch.allclose(layer(x, pos, *dirty, ~mask), layer(*inputs, ~mask))
