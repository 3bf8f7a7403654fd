"""A decoder that is not TT-SRN's: masks in every layer, one class per sequence, no boxes."""

from typing import Any

import pytest
import torch
from mmengine.model import BaseModule
from tiny_ttsrn import EMBED_DIMS, PAPER, WIDTHS, tiny_config
from torch import Tensor, nn

from mmttsrn.errors import UserInputError
from mmttsrn.inference import VideoPredictor
from mmttsrn.models import SequenceModel
from mmttsrn.registry import MODELS
from mmttsrn.structures import (
    ClipFeatures,
    FrameSizes,
    SequencePredictions,
    SequenceTargets,
    dense_masks,
)

T, SIZE = 3, (64, 96)


@MODELS.register_module()
class ToyMaskDecoder(BaseModule):
    """Queries that are shared by the frames; masks are dot products with the features."""

    gives = frozenset({"masks"})

    def __init__(self, num_classes: int, num_layers: int = 2) -> None:
        super().__init__()
        self.num_classes, self.num_frames, self.num_instances = num_classes, T, 4
        self.queries = nn.Parameter(torch.randn(self.num_instances, EMBED_DIMS))
        self.layers = nn.ModuleList(nn.Linear(EMBED_DIMS, EMBED_DIMS) for _ in range(num_layers))
        self.pixels = nn.Linear(WIDTHS[0], EMBED_DIMS)
        self.classes = nn.Linear(EMBED_DIMS, num_classes + 1)

    def forward(self, features: ClipFeatures) -> list[SequencePredictions]:
        t = features.memory.shape[1]
        pixels = self.pixels(features.fine_maps[0].movedim(2, -1))  # N, T, H/4, W/4, C
        x = self.queries + features.memory.mean((1, 2, 3))[:, None]  # N, Q, C
        predictions = []
        for layer in self.layers:
            x = x + layer(x).tanh()
            logits = self.classes(x)[:, None].expand(-1, t, -1, -1)  # N, T, Q, K+1
            masks = torch.einsum("nqc,nthwc->nqthw", x, pixels) / 4
            predictions.append(SequencePredictions(logits, masks=dense_masks(masks)))
        return predictions


TERMS = PAPER["criterion"]["terms"]
COSTS = [
    dict(type="mmttsrn.SequenceClassCost"),
    dict(type="mmttsrn.SequenceMaskCost", weight=5.0),
    dict(type="mmttsrn.SequenceDiceCost", weight=5.0),
]


def toy_config(**changes: Any) -> dict[str, Any]:
    criterion = dict(
        PAPER["criterion"],
        matcher=dict(type="mmttsrn.InstanceSequenceMatcher", costs=COSTS),
        terms=dict(TERMS, loss_bbox=None, loss_giou=None),
    )
    head = dict(type="mmttsrn.ToyMaskDecoder", num_classes=3)
    config = tiny_config(head=head, mask_head=None, criterion=criterion)
    return {
        k: v for k, v in {**config, **changes}.items() if k not in ("type", "data_preprocessor")
    }


@pytest.fixture
def model() -> SequenceModel:
    return SequenceModel(**toy_config())


@pytest.fixture
def clip() -> tuple[Tensor, Tensor]:
    """Frames with two bright squares that move, and no padding."""
    frames = 0.1 * torch.randn(1, T, 3, *SIZE)
    for t in range(T):
        frames[0, t, 0, 8:32, 8 + 4 * t : 32 + 4 * t] += 2
        frames[0, t, 1, 36:60, 60 - 4 * t : 84 - 4 * t] += 2
    return frames, torch.zeros(1, T, *SIZE, dtype=torch.bool)


@pytest.fixture
def targets() -> list[SequenceTargets]:
    masks = torch.zeros(2, T, *SIZE, dtype=torch.bool)
    for t in range(T):
        masks[0, t, 8:32, 8 + 4 * t : 32 + 4 * t] = True
        masks[1, t, 36:60, 60 - 4 * t : 84 - 4 * t] = True
    valid = torch.ones(2, T, dtype=torch.bool)
    return [SequenceTargets(torch.tensor([0, 2]), torch.zeros(2, T, 4), valid, masks, SIZE)]


def test_trains_and_predicts(model: SequenceModel, clip: tuple, targets: list) -> None:
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    history = []
    for _ in range(60):
        losses = model.loss(*clip, targets)
        assert set(losses) == {
            f"{layer}loss_{name}" for layer in ("", "d0.") for name in ("cls", "mask", "dice")
        }
        history.append(sum(losses.values()))
        optimizer.zero_grad()
        history[-1].backward()
        optimizer.step()
    assert history[-1] < 0.4 * history[0]
    model.eval()
    results = VideoPredictor(model, FrameSizes(SIZE, SIZE, (128, 192))).predict(clip[0][0])
    best = results.scores.argsort(descending=True)[:2].tolist()
    assert sorted(results.labels[best].tolist()) == [0, 2]
    for row in best:
        true = targets[0].masks[[0, 2].index(results.labels[row]), 1].numpy()
        found = results.frame_masks(1)[row][::2, ::2]
        assert (found & true).sum() > 0.7 * (found | true).sum()
        x1, y1, x2, y2 = results.boxes[row, 1].tolist()  # of the masks
        assert results.frame_masks(1)[row][:, : int(x1)].sum() == 0
        assert x2 - x1 < 100
        assert y2 - y1 < 70


def test_every_layer_is_matched_by_its_masks(
    model: SequenceModel, clip: tuple, targets: list
) -> None:
    for layer in model.decode(*clip):
        assert layer.mask_logits(0).shape == (4, T, 16, 24)
        swapped = targets[0].select(torch.tensor([1, 0]))
        matches, other = (
            model.criterion.matcher.match_clips(layer, [t]) for t in (targets[0], swapped)
        )
        assert torch.equal(matches[:, :2], other[:, :2])
        assert torch.equal(matches[:, 2], 1 - other[:, 2])


def test_a_config_that_asks_for_boxes_is_refused() -> None:
    with pytest.raises(UserInputError, match="SequenceBoxL1Cost needs boxes, which the head"):
        SequenceModel(**toy_config(criterion=PAPER["criterion"]))
    criterion = dict(toy_config()["criterion"], terms=TERMS)
    with pytest.raises(UserInputError, match="loss_bbox needs boxes, which the"):
        SequenceModel(**toy_config(criterion=criterion))
