from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from mmttsrn.models import SequenceMaskHead, SinePositionEncoding3D
from mmttsrn.structures import ClipFeatures

N, T, Q, C = 2, 3, 4, 48
FINE_CHANNELS = (4, 8, 16)


def build(**changes) -> SequenceMaskHead:
    torch.manual_seed(0)
    settings = dict(
        fpn_channels=(24, 16, 8),
        feat_channels=8,
        seq_channels=8,
        deform_backend="grid_sample",
    )
    head = SequenceMaskHead(C, FINE_CHANNELS, **{**settings, **changes})
    # Offsets that move samples, unlike the initial ones.
    torch.nn.init.normal_(head.fpn.deform_conv.conv_offset.weight, std=0.3)
    return head.eval()


@pytest.fixture
def features() -> ClipFeatures:
    """Frames of 64x96 pixels; the last 32 rows of the first clip are padding."""
    padding = torch.zeros(N, T, 2, 3, dtype=torch.bool)
    padding[0, :, 1:] = True
    return ClipFeatures(
        memory=torch.randn(N, T, 2, 3, C),
        positions=SinePositionEncoding3D(C)(padding),
        padding_mask=padding,
        fine_maps=tuple(
            torch.randn(N, T, c, 16 >> i, 24 >> i) for i, c in enumerate(FINE_CHANNELS)
        ),
    )


@pytest.fixture
def several_threads() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def states() -> Tensor:
    return torch.randn(N, T, Q, C)


def test_masks_of_all_instances_in_order(features: ClipFeatures, states: Tensor) -> None:
    head = build()
    masks = head(features, states)
    assert masks.shape == (N * Q, T, 16, 24)
    rows = torch.tensor([[1, 2], [0, 3], [1, 0]])
    torch.testing.assert_close(
        head(features, states, rows), masks[rows[:, 0] * Q + rows[:, 1]], rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize(
    ("max_images", "with_cp", "deform_backend"),
    [
        (1, False, "grid_sample"),
        (1, True, "grid_sample"),
        (3, False, "grid_sample"),
        (3, True, "mmcv"),
        (7, False, "mmcv"),
        (7, True, "grid_sample"),
        (1000, False, "grid_sample"),
        (1000, True, "grid_sample"),
    ],
)
def test_chunks_change_neither_masks_nor_gradients(
    features: ClipFeatures, states: Tensor, max_images: int, with_cp: bool, deform_backend: str
) -> None:
    def run(head: SequenceMaskHead) -> tuple[Tensor, dict[str, Tensor]]:
        head.train()
        inputs = states.clone().requires_grad_()
        masks = head(features, inputs)
        masks.square().mean().backward()
        gradients = {name: p.grad for name, p in head.named_parameters()}
        return masks.detach(), {**gradients, "states": inputs.grad}

    expected_masks, expected_gradients = run(build(max_images=72, deform_backend=deform_backend))
    masks, gradients = run(
        build(max_images=max_images, with_cp=with_cp, deform_backend=deform_backend)
    )
    torch.testing.assert_close(masks, expected_masks, rtol=1e-4, atol=1e-5)
    for name, gradient in expected_gradients.items():
        torch.testing.assert_close(gradients[name], gradient, rtol=1e-3, atol=1e-5, msg=name)


@pytest.mark.parametrize(("max_images", "most_sequences"), [(1, 1), (4, 1), (7, 2)])
def test_chunks_bound_the_images_computed_at_a_time(
    features: ClipFeatures, states: Tensor, max_images: int, most_sequences: int
) -> None:
    head = build(max_images=max_images)
    images: list[int] = []
    sequences: list[int] = []
    head.fpn.norms[0].register_forward_hook(lambda *args: images.append(len(args[-1])))
    head.sequence_convs[0].register_forward_hook(lambda *args: sequences.append(len(args[-1])))
    head(features, states)
    assert max(images) <= max_images
    assert max(sequences) == most_sequences
    assert sum(images) == T * sum(sequences) == N * Q * T


def test_clips_of_a_batch_do_not_see_each_other(features: ClipFeatures, states: Tensor) -> None:
    head = build()
    together = head(features, states).unflatten(0, (N, Q))
    for i in range(N):
        one = slice(i, i + 1)
        alone = ClipFeatures(
            features.memory[one],
            features.positions[one],
            features.padding_mask[one],
            tuple(m[one] for m in features.fine_maps),
        )
        torch.testing.assert_close(together[i], head(alone, states[one]), rtol=1e-4, atol=1e-5)


def test_an_instance_sees_only_its_own_states(features: ClipFeatures, states: Tensor) -> None:
    head = build()
    before = head(features, states).unflatten(0, (N, Q))
    states[1, 2, 3] += 5
    changed = (before - head(features, states).unflatten(0, (N, Q))).abs().amax((3, 4)) > 1e-5
    assert changed.any(2).nonzero().tolist() == [[1, 3]]
    # The 3-D convolutions carry frame 2 to the others.
    assert changed[1, 3].all()


def test_garbage_in_padded_memory_does_not_reach_masks_through_the_box_attention(
    features: ClipFeatures, states: Tensor
) -> None:
    """Of the two ways from memory to masks, the attention is closed to padding.

    The other one, the convolutions over the memory itself, reads padded cells (the reference
    does): their share of the first convolution is therefore kept clean here.
    """
    head = build()
    memory = features.memory.permute(0, 1, 4, 2, 3).flatten(0, 1)
    terms = head.fpn.frame_terms(memory, [m.flatten(0, 1) for m in features.fine_maps])
    terms = [term.unflatten(0, (N, T)) for term in terms]
    garbage = torch.where(features.padding_mask[..., None], torch.tensor(1e4), features.memory)
    instances = torch.cartesian_prod(torch.arange(N), torch.arange(Q))
    clean, dirty = (
        head.mask_features(
            instances, states, head.box_attention.keys(m), features.padding_mask, *terms
        )
        for m in (features.memory, garbage)
    )
    assert torch.equal(clean, dirty)


def test_gradients_are_the_same_in_every_bit_on_several_threads(several_threads: None) -> None:
    """Those of all instances of a frame come together; resumed trainings count on it."""
    fine_maps = tuple(torch.randn(1, T, c, 64 >> i, 96 >> i) for i, c in enumerate(FINE_CHANNELS))
    padding = torch.zeros(1, T, 8, 12, dtype=torch.bool)
    memory = torch.randn(1, T, 8, 12, C)
    features = ClipFeatures(memory, SinePositionEncoding3D(C)(padding), padding, fine_maps)
    head, states = build(), torch.randn(1, T, 8, C)
    found = []
    for _ in range(4):
        head.zero_grad()
        head(features, states).square().mean().backward()
        found.append([p.grad.clone() for p in head.parameters()])
    for first, *others in zip(*found, strict=True):
        assert all(torch.equal(first, other) for other in others)
