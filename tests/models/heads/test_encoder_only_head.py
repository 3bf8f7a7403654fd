"""The encoder-only head with blocks of this file."""

import pytest
import torch
from torch import Tensor, nn

from mmttsrn.models.heads import EncoderOnlyHead
from mmttsrn.registry import MODELS
from mmttsrn.structures import ClipFeatures

N, T, Q, K, C, P = 2, 3, 4, 2, 8, 2
GRID = (3, 5)


@MODELS.register_module()
class ToyBlocks(nn.Module):
    """Blocks of plain attention, which note what was visible."""

    embed_dims = C

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(C, 2, 16, 0.0, batch_first=True) for _ in range(2)
        )
        self.seen: list[Tensor | None] = []

    def __len__(self) -> int:
        return len(self.layers)

    def forward(
        self, index: int, tokens: Tensor, grid: tuple[int, int], visible: Tensor | None = None
    ) -> Tensor:
        self.seen.append(visible)
        mask = None if visible is None else ~visible.repeat_interleave(2, 0)
        return self.layers[index](tokens, mask)

    def norm(self, tokens: Tensor) -> Tensor:
        return tokens


@pytest.fixture
def head() -> EncoderOnlyHead:
    torch.manual_seed(0)
    branch = dict(type="mmttsrn.MLPBranch")
    return EncoderOnlyHead(
        K, dict(type="mmttsrn.ToyBlocks"), branch, branch, num_instances=Q, num_upscale=1
    ).eval()


def features(n: int = N, previous: Tensor | None = None) -> ClipFeatures:
    generator = torch.Generator().manual_seed(0)
    return ClipFeatures(
        memory=torch.randn(n, T, *GRID, C, generator=generator),
        positions=None,
        padding_mask=torch.zeros(n, T, *GRID, dtype=torch.bool),
        fine_maps=(torch.randn(n, T, C, 1, P, generator=generator),),
        previous=previous,
    )


def clips_of(whole: ClipFeatures, clips: slice, frames: slice) -> ClipFeatures:
    return ClipFeatures(
        whole.memory[clips, frames],
        None,
        whole.padding_mask[clips, frames],
        (whole.fine_maps[0][clips, frames],),
    )


@torch.no_grad()
def test_shapes_and_layers(head: EncoderOnlyHead) -> None:
    (last,) = head(features())
    assert last.logits.shape == (N, T, Q, K + 1)
    assert last.states.shape == (N, T, Q, C)
    assert last.mask_logits().shape == (N, Q, T, 2 * GRID[0], 2 * GRID[1])
    assert len(head.train()(features())) == 3


@torch.no_grad()
def test_a_batch_equals_its_clips(head: EncoderOnlyHead) -> None:
    (batch,) = head(features())
    for index in range(N):
        (clip,) = head(clips_of(features(), slice(index, index + 1), slice(None)))
        torch.testing.assert_close(clip.logits[0], batch.logits[index])
        torch.testing.assert_close(clip.mask_logits(0), batch.mask_logits(index))


@torch.no_grad()
def test_a_clip_goes_on_from_the_frame_before(head: EncoderOnlyHead) -> None:
    (whole,) = head(features())
    (first,) = head(clips_of(features(), slice(None), slice(0, 1)))
    rest = clips_of(features(), slice(None), slice(1, None))
    (second,) = head(ClipFeatures(**vars(rest) | dict(previous=first.states[:, -1])))
    torch.testing.assert_close(torch.cat([first.logits, second.logits], 1), whole.logits)
    (forgetful,) = head(rest)
    assert (forgetful.logits - second.logits).abs().max() > 1e-3


@torch.no_grad()
def test_masks_are_a_function_of_rows_in_any_order(head: EncoderOnlyHead) -> None:
    (last,) = head(features())
    every = last.mask_logits()
    rows = torch.tensor([[1, 2], [0, 3], [1, 0], [0, 0]])
    torch.testing.assert_close(last.masks(rows), every[rows[:, 0], rows[:, 1]])
    assert last.masks(rows[:0]).shape == (0, *every.shape[2:])


@torch.no_grad()
def test_queries_attend_inside_their_masks_by_the_probability(head: EncoderOnlyHead) -> None:
    head.train()
    head.attn_mask_probs.copy_(torch.tensor([1.0, 0.0]))
    layers = head(features())
    first, second = head.blocks.seen[:2]
    others = first[:, Q:].all() and first[:, :Q, : Q + P].all()
    assert others, "patches see all, and all see queries and prefix"
    masks = layers[0].mask_logits()[:, :, 0]  # N, Q, 2*h, 2*w, of the first frame
    inside = torch.nn.functional.interpolate(masks, size=GRID, mode="bilinear") > 0
    assert 0 < inside.float().mean() < 1
    assert torch.equal(first[:, :Q, Q + P :], inside.flatten(2))
    assert second is None
    head.eval()(features())
    assert head.blocks.seen[-1] is None


def test_every_parameter_gets_a_gradient(head: EncoderOnlyHead) -> None:
    head.train()
    layers = head(features())
    loss = sum(x.logits.square().sum() + x.mask_logits().square().sum() for x in layers)
    loss.backward()
    assert [n for n, p in head.named_parameters() if p.grad is None] == []
