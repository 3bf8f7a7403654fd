import pytest
import torch

from mmttsrn.models.layers import TransformerDecoderLayer, TransformerEncoderLayer

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
