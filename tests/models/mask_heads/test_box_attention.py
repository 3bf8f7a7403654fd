import pytest
import torch

from mmttsrn.models.mask_heads.box_attention import BoxAttention

M, T, H, W, C, HEADS = 2, 3, 2, 4, 12, 3


@pytest.fixture
def attention() -> BoxAttention:
    return BoxAttention(C, HEADS)


def padding() -> torch.Tensor:
    """The last row and the last column of the first instance's clip are padding."""
    mask = torch.zeros(M, T, H, W, dtype=torch.bool)
    mask[0, :, -1:] = mask[0, :, :, -1:] = True
    return mask


def test_one_softmax_over_heads_and_cells(attention: BoxAttention) -> None:
    queries, memory = torch.randn(M, T, C), torch.randn(M, T, H, W, C)
    maps = attention(queries, attention.keys(memory), padding())
    assert maps.shape == (M, T, HEADS, H, W)
    torch.testing.assert_close(maps.sum((2, 3, 4)), torch.ones(M, T))
    assert (maps.sum((3, 4)) < 0.999).all()


def test_maps_equal_their_definition(attention: BoxAttention) -> None:
    queries, memory = torch.randn(M, T, C), torch.randn(M, T, H, W, C)
    maps = attention(queries, attention.keys(memory), torch.zeros(M, T, H, W, dtype=torch.bool))
    q = attention.q_linear(queries[1, 2]).view(HEADS, C // HEADS)
    k = attention.k_linear(memory[1, 2]).view(H * W, HEADS, C // HEADS)
    scores = torch.stack([k[:, head] @ q[head] for head in range(HEADS)]) / (C // HEADS) ** 0.5
    expected = scores.flatten().softmax(0).view(HEADS, H, W)
    torch.testing.assert_close(maps[1, 2], expected)


def test_garbage_in_padded_cells_does_not_reach_the_maps(attention: BoxAttention) -> None:
    queries, memory, mask = torch.randn(M, T, C), torch.randn(M, T, H, W, C), padding()
    garbage = torch.where(mask[..., None], torch.tensor(1e4), memory)
    clean = attention(queries, attention.keys(memory), mask)
    assert torch.equal(clean, attention(queries, attention.keys(garbage), mask))
    assert not clean.permute(0, 1, 3, 4, 2)[mask].any()


def test_a_frame_of_padding_has_zero_maps_and_finite_gradients(attention: BoxAttention) -> None:
    queries, memory = torch.randn(M, T, C), torch.randn(M, T, H, W, C)
    mask = torch.zeros(M, T, H, W, dtype=torch.bool)
    mask[:, 0] = True
    maps = attention(queries, attention.keys(memory), mask)
    assert not maps[:, 0].any()
    maps.square().sum().backward()
    assert attention.q_linear.weight.grad.isfinite().all()
