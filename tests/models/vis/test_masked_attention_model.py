"""The whole model of masked-attention instance queries, as its config describes it."""

from typing import Any

import pytest
import torch
from mmengine.config import Config
from tiny_ttsrn import CONFIGS
from torch import Tensor

from mmttsrn.inference import VideoPredictor
from mmttsrn.models import SequenceModel
from mmttsrn.structures import FrameSizes, SequenceTargets

T, SIZE, LABELS = 3, (64, 96), [0, 2]
NO_PADDING = torch.zeros(1, T, *SIZE, dtype=torch.bool)


def build(**changes: Any) -> SequenceModel:
    config = Config.fromfile(CONFIGS / "_base_/models/ttsrn-m2f_tiny.py").model.to_dict()
    for key in ("type", "data_preprocessor"):
        config.pop(key)
    config["head"].update(num_classes=3)
    model = SequenceModel(**{**config, **changes})
    model.init_weights()
    return model


def video_of(num_frames: int) -> tuple[Tensor, Tensor]:
    """Frames (T, 3, H, W) and masks (2, T, H, W) of two bright squares that move."""
    frames = 0.1 * torch.randn(num_frames, 3, *SIZE)
    masks = torch.zeros(2, num_frames, *SIZE, dtype=torch.bool)
    for t in range(num_frames):
        masks[0, t, 8:32, 8 + 4 * t : 32 + 4 * t] = True
        masks[1, t, 36:60, 60 - 4 * t : 84 - 4 * t] = True
    frames[:, 0] += 2 * masks[0]
    frames[:, 1] += 2 * masks[1]
    return frames, masks


def targets_of(masks: Tensor, labels: list[int]) -> SequenceTargets:
    valid = masks.flatten(2).any(2)
    boxes = torch.zeros(*valid.shape, 4)
    return SequenceTargets(torch.tensor(labels, dtype=torch.int64), boxes, valid, masks, SIZE)


@pytest.fixture(scope="module")
def trained() -> SequenceModel:
    torch.manual_seed(0)
    return train(build(), LABELS)


def train(model: SequenceModel, labels: list[int]) -> SequenceModel:
    frames, masks = video_of(T)
    targets = [targets_of(masks, labels)]
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for _ in range(30):
        losses = model.loss(frames[None], NO_PADDING, targets)
        optimizer.zero_grad()
        sum(losses.values()).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return model.eval()


def ious_with(masks: Tensor, found: Tensor) -> list[float]:
    """IoU of two videos of masks (n, T, H, W), row by row."""
    inter, union = (found & masks).flatten(1).sum(1), (found | masks).flatten(1).sum(1)
    return (inter / union).tolist()


@pytest.mark.parametrize("num_frames", [2, T, 7])  # clips are 4 frames long
@torch.no_grad()
def test_finds_what_it_was_trained_on(trained: SequenceModel, num_frames: int) -> None:
    frames, masks = video_of(num_frames)
    sizes = FrameSizes(SIZE, SIZE, (128, 192))
    results = VideoPredictor(trained, sizes).predict(frames)
    good = (results.scores > 0.5).nonzero().squeeze(1)
    assert sorted(results.labels[good].tolist()) == LABELS
    video = [torch.from_numpy(results.frame_masks(t)) for t in range(num_frames)]
    found = torch.stack(video, 1)[good][results.labels[good].argsort()][..., ::2, ::2]
    assert min(ious_with(masks, found)) > 0.7
    assert results.visible[good].all()


def test_losses_are_those_of_the_initial_queries_and_each_layer() -> None:
    frames, masks = video_of(T)
    losses = build().loss(frames[None], NO_PADDING, [targets_of(masks, LABELS)])
    kinds = ("cls", "mask", "dice")
    layers = ("", "d0.", "d1.", "d2.")
    assert set(losses) == {
        "loss_pixel",
        *(f"{layer}loss_{kind}" for layer in layers for kind in kinds),
    }
    assert all(value.isfinite() and value > 0 for value in losses.values())


@pytest.mark.parametrize("num_points", [None, 64])
@pytest.mark.parametrize("with_targets", [False, True])
def test_every_parameter_gets_a_gradient(with_targets: bool, num_points: int | None) -> None:
    """Distributed training waits for a gradient of each, whatever a batch shows."""
    model = build()
    for name in ("loss_mask", "loss_dice"):
        model.criterion.terms[name].num_points = num_points
    frames, masks = video_of(T)
    targets = targets_of(masks, LABELS) if with_targets else targets_of(masks[:0], [])
    losses = model.loss(frames[None], NO_PADDING, [targets])
    sum(losses.values()).backward()
    assert all(value.isfinite() for value in losses.values())
    assert (losses["loss_mask"] > 0) == (losses["loss_dice"] > 0) == with_targets
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
    moved = {name for name, p in model.named_parameters() if p.grad.any()}
    for part in ("head.pool_proj.1.", "head.pixel_branches.0.", "head.pixel_branches.1."):
        assert f"{part}weight" in moved
    assert any(name.startswith("head.mask_branch.") for name in moved) == with_targets


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_losses_in_mixed_precision_are_near_those_in_float32(dtype: torch.dtype) -> None:
    model = build()
    frames, masks = video_of(T)
    clip = (frames[None], NO_PADDING, [targets_of(masks, LABELS)])
    expected = model.loss(*clip)
    with torch.autocast("cpu", dtype):
        losses = model.loss(*clip)
    for name, value in losses.items():
        torch.testing.assert_close(value.float(), expected[name], rtol=0.03, atol=0.03, msg=name)


def test_one_class_by_quality_alone() -> None:
    """Without a class branch, a query is an object as surely as its mask is good."""
    config = Config.fromfile(CONFIGS / "_base_/models/ttsrn-m2f_tiny.py").model.to_dict()
    branch = dict(type="mmttsrn.MLPBranch", hidden_channels=[16])
    head = dict(config["head"], num_classes=1, cls_branch=None, quality_branch=branch)
    bce = dict(type="mmdet.CrossEntropyLoss", use_sigmoid=True)
    terms = dict(config["criterion"]["terms"], loss_cls=None)
    terms["loss_quality"] = dict(type="mmttsrn.SequenceQualityTerm", loss=bce)
    criterion = dict(config["criterion"], terms=terms)
    torch.manual_seed(0)
    model = train(build(head=head, criterion=criterion), [0, 0])
    num_frames = T + 2  # two windows
    frames, masks = video_of(num_frames)
    with torch.no_grad():
        results = VideoPredictor(model, FrameSizes(SIZE, SIZE, SIZE)).predict(frames)
    assert len(results.scores) >= 2
    video = [torch.from_numpy(results.frame_masks(t)) for t in range(num_frames)]
    for score, found in zip(results.scores[:2], torch.stack(video, 1)[:2], strict=True):
        best = max(ious_with(masks, found[None].expand(2, -1, -1, -1)))
        assert best > 0.7
        assert score.item() == pytest.approx(best, abs=0.15)
    for wrong in (dict(num_classes=2), dict(quality_branch=None)):
        with pytest.raises(ValueError, match="cls_branch=None: expected num_classes=1 and a"):
            build(head=dict(head, **wrong), criterion=criterion)


def test_runs_without_a_neck() -> None:
    """As Mask2Former does, from the backbone's maps."""
    config = Config.fromfile(CONFIGS / "_base_/models/ttsrn-m2f_tiny.py").model.to_dict()
    widths = list(config["backbone"]["arch"]["embed_dims"])
    decoder = dict(config["pixel_decoder"])
    head = dict(
        config["head"],
        embed_dims=widths[-1],
        positional_encoding=dict(
            type="mmdet.SinePositionalEncoding3D", num_feats=widths[-1] // 2, normalize=True
        ),
    )
    decoder["channels"] = [widths[-1], widths[-1], 64]
    model = build(neck=None, pixel_decoder=decoder, head=head)
    frames, masks = video_of(T)
    sum(model.loss(frames[None], NO_PADDING, [targets_of(masks, LABELS)]).values()).backward()
    assert model.backbone.patch_embeds[0].proj.weight.grad.any()


def test_mask_head_refines_the_masks_of_the_last_layer() -> None:
    mask_head = Config.fromfile(CONFIGS / "_base_/models/ttsrn_tiny.py").model.mask_head.to_dict()
    torch.manual_seed(0)
    model = build(mask_head=mask_head).eval()
    frames, masks = video_of(T)
    features = model.extract_features(frames[None], NO_PADDING)
    plain, refined = model.head(features), model.decode(frames[None], NO_PADDING)
    torch.testing.assert_close(refined[0].mask_logits(0), plain[0].mask_logits(0))
    difference = refined[-1].mask_logits(0) - plain[-1].mask_logits(0)
    added = model.mask_head(features, plain[-1].states)
    torch.testing.assert_close(difference, added, rtol=1e-3, atol=1e-5)
    assert difference.abs().max() > 0.01
    sum(
        model.train().loss(frames[None], NO_PADDING, [targets_of(masks, LABELS)]).values()
    ).backward()
    assert all(p.grad is not None for p in model.mask_head.parameters())
