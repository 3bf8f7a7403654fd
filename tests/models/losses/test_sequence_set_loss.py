from contextlib import nullcontext
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from set_prediction_cases import CASES, Case, Q, T, load_case
from tiny_ttsrn import PAPER
from torch import Tensor

from mmttsrn.errors import UserInputError
from mmttsrn.models import SequenceSetLoss
from mmttsrn.models.losses import LossTerm, MatchedLayer
from mmttsrn.registry import MODELS
from mmttsrn.structures import SequencePredictions, SequenceTargets, dense_masks

MASK_MATCHER = dict(
    type="mmttsrn.InstanceSequenceMatcher", costs=[dict(type="mmttsrn.SequenceMaskCost")]
)
PIXEL_TERM = dict(type="mmttsrn.PixelClassTerm", loss=dict(type="mmdet.CrossEntropyLoss"))

# Our losses carry their weights; the recorded ones do not.
REFERENCE_LOSSES = {
    "loss_cls": ("loss_ce", 1),
    "loss_bbox": ("loss_bbox", 5),
    "loss_giou": ("loss_giou", 2),
    "loss_mask": ("loss_mask", 1),
    "loss_dice": ("loss_dice", 1),
    "d0.loss_cls": ("loss_ce_0", 1),
    "d0.loss_bbox": ("loss_bbox_0", 5),
    "d0.loss_giou": ("loss_giou_0", 2),
}


def paper_loss(matcher: dict | None = None, **terms: dict | None) -> SequenceSetLoss:
    """The criterion of the paper's config; keys of a term are changed, None leaves it out."""
    criterion = PAPER["criterion"]
    terms = {name: term and criterion["terms"].get(name, {}) | term for name, term in terms.items()}
    return SequenceSetLoss(matcher or criterion["matcher"], criterion["terms"] | terms)


def compute(
    criterion: SequenceSetLoss, case: Case, targets: list[SequenceTargets] | None = None
) -> tuple[dict[str, Tensor], Tensor]:
    """Losses and last-layer matches of a case."""
    targets = case.targets if targets is None else targets
    layers = case.layers()
    return criterion(layers, targets), criterion.matcher.match_clips(layers[-1], targets)


@pytest.mark.parametrize("name", CASES)
def test_losses_and_gradients_equal_the_reference(name: str) -> None:
    case = load_case(name)
    for tensor in (case.logits, case.boxes, case.masks):
        tensor.requires_grad_()
    losses, _ = compute(paper_loss(), case)
    for key, value in losses.items():
        reference, weight = REFERENCE_LOSSES[key]
        expected = case.expected[f"loss.{reference}"].item()
        assert value.item() / weight == pytest.approx(expected, abs=1e-5, rel=0), key
    recorded = {key for key in case.expected if key.startswith("loss.loss_")}
    assert recorded == {f"loss.{REFERENCE_LOSSES[key][0]}" for key in losses}
    total = sum(losses.values())
    expected = case.expected["loss.total_weighted"].item()
    assert total.item() == pytest.approx(expected, abs=1e-5, rel=0)
    total.backward()
    for key, tensor in (("pred_logits", case.logits), ("pred_boxes", case.boxes)):
        torch.testing.assert_close(tensor.grad, case.expected[f"grad.{key}"], rtol=0, atol=2e-6)
    norm = case.masks.grad.norm().item()
    assert norm == pytest.approx(case.expected["grad_l2.pred_masks"].item(), abs=2e-6, rel=0)


@pytest.mark.parametrize("name", CASES)
def test_visible_frames_of_matches_equal_the_reference(name: str) -> None:
    case = load_case(name)
    _, matches = compute(paper_loss(), case)
    for i, targets in enumerate(case.targets):
        pairs = [
            (frame * Q + slot, instance * T + frame)
            for clip, slot, instance in matches.tolist()
            for frame in range(T)
            if clip == i and targets.valid[instance, frame]
        ]
        expected = zip(
            case.expected[f"b{i}.pred_index"].tolist(),
            case.expected[f"b{i}.target_index"].tolist(),
            strict=True,
        )
        assert sorted(pairs) == sorted(expected)


def test_order_of_instances_does_not_change_the_losses() -> None:
    case = load_case("n06")
    expected, _ = compute(paper_loss(), case)
    permuted, _ = compute(paper_loss(), case, [case.targets[0].select(torch.randperm(6))])
    for key, value in expected.items():
        torch.testing.assert_close(permuted[key], value, msg=key)


def test_a_layer_without_masks_gets_no_mask_loss() -> None:
    case = load_case("n02")
    criterion = paper_loss()
    expected, _ = compute(criterion, case)
    losses = criterion([replace(case.layers()[-1], masks=None)], case.targets)
    assert set(losses) == {"loss_cls", "loss_bbox", "loss_giou"}
    for key, value in losses.items():
        assert torch.equal(value, expected[key])


def test_a_loss_that_is_left_out_is_not_computed() -> None:
    losses, _ = compute(paper_loss(loss_giou=None, loss_dice=None), load_case("n02"))
    assert set(losses) == {"loss_cls", "loss_bbox", "loss_mask"}


@MODELS.register_module()
class CountOfMatchesTerm(LossTerm):
    """A term of somebody else: a loss of 0.5 for each match of the layer."""

    def forward(self, layer: MatchedLayer) -> Tensor:
        count = layer.predictions.logits.new_full((1, 1), float(len(layer.matches)))
        return self.loss(count, torch.zeros_like(count))


def test_further_terms_come_from_the_config() -> None:
    case = load_case("aux_layer")
    term = dict(type="mmttsrn.CountOfMatchesTerm", loss=dict(type="mmdet.L1Loss", loss_weight=0.5))
    expected, matches = compute(paper_loss(), case)
    losses, _ = compute(paper_loss(loss_count=term), case)
    assert set(losses) == {*expected, "loss_count", "d0.loss_count"}
    assert losses["loss_count"].item() == 0.5 * len(matches)


@pytest.mark.parametrize(
    ("changes", "every_layer", "last_layer", "message"),
    [
        ({}, {"boxes"}, {"boxes"}, r"terms\.loss_mask needs masks, .* or mask_head"),
        ({}, {"masks"}, {"masks"}, r"matcher: SequenceBoxL1Cost needs boxes"),
        ({"loss_mask": None, "loss_dice": None}, {"boxes"}, {"boxes"}, None),
        ({}, {"boxes"}, {"boxes", "masks"}, None),
        ({"matcher": MASK_MATCHER}, {"boxes"}, {"boxes", "masks"}, "SequenceMaskCost needs masks"),
        (
            {"loss_pixel": PIXEL_TERM},
            {"boxes"},
            {"boxes", "masks"},
            "loss_pixel needs pixel_logits",
        ),
        ({}, {"boxes", "quality"}, {"boxes", "masks", "quality"}, "no term .* trains it"),
        ({}, {"boxes", "seed_logits"}, {"boxes", "masks"}, "head.seeds: no term .* trains it"),
    ],
)
def test_what_a_decoder_does_not_give_is_refused(
    changes: dict, every_layer: set, last_layer: set, message: str | None
) -> None:
    criterion = paper_loss(**changes)
    expected = nullcontext() if message is None else pytest.raises(UserInputError, match=message)
    with expected:
        criterion.check_decoder(frozenset(every_layer), frozenset(last_layer))


def test_a_loss_that_would_not_be_trained_on_is_refused() -> None:
    with pytest.raises(UserInputError, match=r'terms\.boxes: expected a name with "loss"'):
        paper_loss(boxes=PAPER["criterion"]["terms"]["loss_bbox"])


def test_a_loss_outside_of_terms_is_named() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'loss_mask'"):
        MODELS.build(dict(PAPER["criterion"], loss_mask=None))


def test_losses_come_from_the_config() -> None:
    case = load_case("n02")
    expected, _ = compute(paper_loss(), case)
    loss = dict(type="mmdet.L1Loss", loss_weight=10.0)
    doubled, _ = compute(paper_loss(loss_bbox=dict(loss=loss)), case)
    torch.testing.assert_close(doubled["loss_bbox"], 2 * expected["loss_bbox"])
    assert torch.equal(doubled["loss_cls"], expected["loss_cls"])


def test_matcher_comes_from_the_config() -> None:
    case = load_case("n02")
    costs = [dict(type="mmttsrn.SequenceBoxL1Cost", weight=-1.0)]
    matcher = dict(type="mmttsrn.InstanceSequenceMatcher", costs=costs)
    _, matches = compute(paper_loss(), case)
    _, worst = compute(paper_loss(matcher=matcher), case)
    assert not torch.equal(matches, worst)


def test_no_object_weight_scales_unmatched_queries_only() -> None:
    case = load_case("n00")
    case.logits.requires_grad_()
    losses, _ = compute(paper_loss(loss_cls=dict(no_object_weight=0.5)), case)
    # With no-object targets alone the weight cancels: a weighted mean of equal weights.
    expected, _ = compute(paper_loss(), case)
    torch.testing.assert_close(losses["loss_cls"], expected["loss_cls"])
    case = load_case("n02")
    lighter, _ = compute(paper_loss(loss_cls=dict(no_object_weight=0.01)), case)
    default, _ = compute(paper_loss(), case)
    assert not torch.isclose(lighter["loss_cls"], default["loss_cls"], rtol=1e-3)


def test_class_loss_equals_pytorch_cross_entropy() -> None:
    case = load_case("n03")
    losses, matches = compute(paper_loss(), case)
    classes = torch.full((T, Q), 41)
    for _, slot, instance in matches.tolist():
        valid = case.targets[0].valid[instance]
        classes[valid, slot] = case.targets[0].labels[instance]
    weight = torch.tensor([1.0] * 41 + [0.1])
    expected = F.cross_entropy(case.logits[0], classes.flatten(), weight)
    torch.testing.assert_close(losses["loss_cls"], expected)


class TestIgnorePadding:
    """One clip of one 8x8 instance in frames of 16x12 pixels, on canvases of different sizes."""

    frame = (16, 12)

    def masks_loss(
        self, canvas: tuple[int, int], ignore_padding: bool, logits: Tensor
    ) -> dict[str, Tensor]:
        masks = torch.zeros(1, T, *canvas, dtype=torch.bool)
        masks[..., 4:12, 4:12] = True
        valid = torch.tensor([[True, True, False, True]])
        targets = SequenceTargets(
            torch.tensor([1]),
            torch.tensor([0.5, 0.5, 0.5, 0.5]) * valid[..., None],
            valid,
            masks * valid[..., None, None],
            self.frame,
        )
        boxes = torch.zeros(1, T, 2, 4)
        boxes[:, :, 1] = 0.5  # the second query is the match
        predictions = SequencePredictions(
            torch.zeros(1, T, 2, 4), boxes, dense_masks(torch.stack([logits, logits], 1))
        )
        names = ("loss_mask", "loss_dice")
        criterion = paper_loss(**{name: dict(ignore_padding=ignore_padding) for name in names})
        losses = criterion([predictions], [targets])
        return {name: losses[name] for name in names}

    @pytest.fixture
    def logits(self) -> Tensor:
        return torch.randn(1, T, 4, 3)

    @pytest.fixture
    def padded_logits(self, logits: Tensor) -> Tensor:
        """The same inside the frame, random outside; the edge repeats for the interpolation."""
        padded = F.pad(logits, (0, 1, 0, 1), mode="replicate")
        wide = 5 * torch.randn(1, T, 7, 8)
        wide[..., :5, :4] = padded
        return wide

    def test_amount_of_padding_does_not_matter(self, logits: Tensor, padded_logits: Tensor) -> None:
        expected = self.masks_loss((16, 12), True, logits)
        losses = self.masks_loss((28, 32), True, padded_logits)
        for key in expected:
            torch.testing.assert_close(losses[key], expected[key])

    def test_without_padding_nothing_is_left_out(self, logits: Tensor) -> None:
        assert self.masks_loss((16, 12), True, logits) == self.masks_loss((16, 12), False, logits)

    def test_by_default_padding_counts_as_background(
        self, logits: Tensor, padded_logits: Tensor
    ) -> None:
        expected = self.masks_loss((16, 12), False, logits)
        losses = self.masks_loss((28, 32), False, padded_logits)
        for key in expected:
            assert not torch.isclose(losses[key], expected[key], rtol=0.05)

    def test_padding_gets_no_gradient(self, padded_logits: Tensor) -> None:
        padded_logits.requires_grad_()
        sum(self.masks_loss((28, 32), True, padded_logits).values()).backward()
        gradient = padded_logits.grad
        assert not gradient[..., 5:, :].any()
        assert not gradient[..., 4:].any()
        assert gradient[0, [0, 1, 3], :4, :3].abs().amin() > 0
        assert gradient.isfinite().all()


@pytest.mark.parametrize("name", ["n00", "all_invalid"])
def test_empty_targets_give_finite_losses_and_gradients(name: str) -> None:
    case = load_case(name)
    for tensor in (case.logits, case.boxes, case.masks):
        tensor.requires_grad_()
    losses, _ = compute(paper_loss(), case)
    sum(losses.values()).backward()
    for key, value in losses.items():
        assert value.isfinite(), key
    for tensor in (case.logits, case.boxes, case.masks):
        assert tensor.grad.isfinite().all()
