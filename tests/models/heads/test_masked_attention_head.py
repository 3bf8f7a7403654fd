from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmttsrn.errors import UserInputError
from mmttsrn.models import MaskedAttentionHead
from mmttsrn.models.layers import resize_padding_mask
from mmttsrn.structures import ClipFeatures, SequencePredictions

N, T, Q, K, C, MASK_CHANNELS, HEADS = 2, 3, 5, 3, 16, 8, 2
BRANCH = dict(type="mmttsrn.SirenBranch", sine_channels=[16], linear_channels=[8], dropout=0.0)


def build(**changes: Any) -> MaskedAttentionHead:
    settings: dict[str, Any] = dict(
        num_classes=K,
        cls_branch=BRANCH,
        mask_branch=BRANCH,
        positional_encoding=dict(
            type="mmdet.SinePositionalEncoding3D", num_feats=C // 2, normalize=True
        ),
        num_frames=4,
        num_instances=Q,
        embed_dims=C,
        mask_channels=MASK_CHANNELS,
        layer_levels=(0, 1, 2),
        num_heads=HEADS,
        ffn_channels=24,
    )
    head = MaskedAttentionHead(**{**settings, **changes})
    head.init_weights()
    return head.eval()


def features_of(n: int = N, t: int = T, size: tuple[int, int] = (64, 96)) -> ClipFeatures:
    """Random features of frames (H, W) without padding; levels of strides 32, 16 and 8."""

    def cells(channels: int, stride: int) -> Tensor:
        return torch.randn(n, t, channels, size[0] // stride, size[1] // stride)

    levels = tuple(cells(C, stride) for stride in (32, 16, 8))
    return ClipFeatures(
        memory=levels[0].movedim(2, -1),
        positions=None,
        padding_mask=torch.zeros_like(levels[0][:, :, 0], dtype=torch.bool),
        fine_maps=(),
        levels=levels,
        mask_features=cells(MASK_CHANNELS, 4),
    )


def each_map(features: ClipFeatures, change: Any) -> ClipFeatures:
    """The features with ``change`` done to levels and mask features."""
    assert features.mask_features is not None
    return replace(
        features,
        levels=tuple(change(level) for level in features.levels),
        mask_features=change(features.mask_features),
    )


def masks_of(layer: SequencePredictions) -> Tensor:
    masks = layer.mask_logits()
    assert masks is not None
    return masks


def fixed_masks(head: MaskedAttentionHead, features: ClipFeatures, signs: Tensor) -> ClipFeatures:
    """Mask features that give the only initial query the masks ``signs`` (T, h, w) of -1 and 1."""
    embedding = head.mask_branch(head.norm(head.query_feat.weight))[0]
    return replace(features, mask_features=signs[None, :, None] * embedding[:, None, None])


def test_gives_class_and_masks_of_the_initial_queries_and_of_every_layer() -> None:
    layers = build()(features_of())
    assert len(layers) == 4
    for layer in layers:
        assert layer.logits.shape == (N, T, Q, K + 1)
        assert masks_of(layer).shape == (N, Q, T, 16, 24)
        assert layer.gives == {"masks"}
        assert torch.equal(layer.logits[:, 0], layer.logits[:, -1])  # one class for all frames
    for one, next_one in pairwise(layers):
        assert not torch.allclose(masks_of(one), masks_of(next_one))


def test_initial_masks_are_those_of_queries_that_saw_nothing() -> None:
    head, features = build(), features_of()
    expected = masks_of(head(features)[0])
    other = replace(features, levels=features_of().levels)
    assert torch.equal(masks_of(head(other)[0]), expected)
    assert not torch.allclose(masks_of(head(other)[1]), masks_of(head(features)[1]))


def test_pixels_are_classified_in_training_only() -> None:
    head = build(pixel_classes=True)
    assert head.gives == {"masks", "pixel_logits"}
    assert head(features_of())[-1].pixel_logits == ()
    *others, last = head.train()(features_of())
    assert [m.shape for m in last.pixel_logits] == [(N, T, K + 1, 8, 12), (N, T, K + 1, 16, 24)]
    assert not any(layer.pixel_logits for layer in others)


def test_pooled_features_change_the_class_and_not_the_masks() -> None:
    head, features = build(pool_features=True), features_of()
    # Mask features that are the same for all cells, but for what masks do not see.
    logits, masks = head(features)[-1].logits, masks_of(head(features)[-1])
    torch.nn.init.zeros_(head.pool_proj[-1].weight)
    assert torch.equal(masks_of(head(features)[-1]), masks)
    assert not torch.allclose(head(features)[-1].logits, logits)


def test_pooled_features_are_means_inside_and_at_the_edge_of_the_mask() -> None:
    head, features = build(pool_features=True, num_instances=1), features_of(n=1)
    seen: list[Tensor] = []
    head.pool_proj.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    inside = masks_of(head(features)[0])[0, 0].sigmoid()  # T, h, w
    maps = features.mask_features[0]
    for part, weights in enumerate((inside, 4 * inside * (1 - inside))):
        mean = sum(
            (weights[t] * maps[t]).sum((1, 2)) for t in range(T)
        ) / weights.sum()  # fmt: skip
        pooled = seen[0][0, 0, part * MASK_CHANNELS : (part + 1) * MASK_CHANNELS]
        torch.testing.assert_close(pooled, mean)


@pytest.mark.parametrize("padded", [False, True])
def test_a_batch_is_its_clips_one_by_one(padded: bool) -> None:
    head, features = build(pool_features=True), features_of()
    features.padding_mask[1, :, :, 2:] = padded
    layers = head(features)
    for clip in range(N):
        alone = each_map(features, lambda m, clip=clip: m[clip : clip + 1])
        alone = replace(alone, padding_mask=features.padding_mask[clip : clip + 1])
        for layer, expected in zip(head(alone), layers, strict=True):
            torch.testing.assert_close(layer.logits[0], expected.logits[clip])
            torch.testing.assert_close(layer.mask_logits(0), expected.mask_logits(clip))


@pytest.mark.parametrize("pool_features", [False, True])
def test_padding_changes_nothing_inside(pool_features: bool) -> None:
    """Random features below and beside the frames, in multiples of 32 pixels."""
    head, features = build(pool_features=pool_features), features_of()

    def pad(cells: Tensor) -> Tensor:
        rows, columns = cells.shape[-2] // 2, cells.shape[-1] // 3  # 32 pixels each
        noise = 9 * torch.randn_like(F.pad(cells, (0, columns, 0, rows)))
        noise[..., : cells.shape[-2], : cells.shape[-1]] = cells
        return noise

    padded = replace(
        each_map(features, pad), padding_mask=F.pad(features.padding_mask, (0, 1, 0, 1), value=True)
    )
    for layer, expected in zip(head(padded), head(features), strict=True):
        torch.testing.assert_close(layer.logits, expected.logits)
        torch.testing.assert_close(masks_of(layer)[..., :16, :24], masks_of(expected))
    lenient = build(pool_features=pool_features, mask_padding=False)
    lenient.load_state_dict(head.state_dict())
    assert not torch.allclose(lenient(padded)[-1].logits, head(features)[-1].logits, atol=1e-3)


def test_cells_outside_the_mask_do_not_reach_the_query() -> None:
    head, features = build(layer_levels=[2], num_instances=1), features_of(n=1)
    signs = torch.ones(T, 16, 24)
    signs[:, :8] = -1
    signs[1] = -1  # frame 1 is outside as a whole
    features = fixed_masks(head, features, signs)

    def states(level: Tensor) -> Tensor:
        return masks_of(head(replace(features, levels=(*features.levels[:2], level)))[1])

    expected, level = states(features.levels[2]), features.levels[2]
    outside = F.avg_pool2d(signs, 2)[None, :, None] < 0  # cells of stride 8
    assert torch.equal(states(torch.where(outside, 9.0, level)), expected)
    for row, column in ((4, 0), (7, 11)):
        changed = level.clone()
        changed[0, 2, :, row, column] = 9.0
        assert not torch.allclose(states(changed), expected)


def test_a_query_attends_by_its_own_mask() -> None:
    head, features = build(layer_levels=[1]), features_of(n=1)
    seen: list[Tensor] = []
    head.layers[0].multihead_attn.register_forward_hook(lambda _, __, out: seen.append(out[0][0]))
    masks = masks_of(head(features)[0])[0]
    small = F.interpolate(masks, size=(4, 6), mode="bilinear", align_corners=False)
    attended = small >= 0  # Q, T, h, w
    t, row, column = (attended.any(0) & ~attended.all(0)).nonzero()[0].tolist()
    changed = features.levels[1].clone()
    changed[0, t, :, row, column] = 9.0
    head(replace(features, levels=(features.levels[0], changed, features.levels[2])))
    sees = attended[:, t, row, column]
    assert torch.equal((seen[0] != seen[1]).any(1), sees)


def test_masks_may_depend_on_the_place_in_the_frame() -> None:
    features = features_of()
    flat = replace(features, mask_features=torch.ones(N, T, MASK_CHANNELS, 16, 24))
    masks = masks_of(build()(flat)[0])
    torch.testing.assert_close(masks, masks[..., :1, :1].expand_as(masks))
    masks = masks_of(build(mask_positions=True)(flat)[0])
    assert not torch.allclose(masks[..., :1], masks)
    assert not torch.allclose(masks[..., :1, :], masks)
    torch.testing.assert_close(masks[:, :, :1].expand_as(masks), masks)  # the same at all times


def test_layers_may_begin_as_identities() -> None:
    head, features = build(zero_init_residual=True), features_of()
    other = replace(features, levels=features_of().levels)
    for one, same in zip(head(features), head(other), strict=True):
        torch.testing.assert_close(masks_of(one), masks_of(same))
    masks_of(head.train()(features)[-1]).sum().backward()
    assert all(layer.multihead_attn.out_proj.weight.grad.any() for layer in head.layers)


@pytest.mark.parametrize("padded", [False, True])
def test_a_query_with_an_empty_mask_attends_to_every_cell(padded: bool) -> None:
    head, features = build(layer_levels=[1], num_instances=1), features_of(n=1)
    features.padding_mask[..., 2:] = padded
    full = fixed_masks(head, features, torch.ones(T, 16, 24))
    empty = fixed_masks(head, features, -torch.ones(T, 16, 24))
    assert (masks_of(head(empty)[0]) < 0).all()
    logits = head(empty)[-1].logits
    assert logits.isfinite().all()
    torch.testing.assert_close(logits, head(full)[-1].logits)
    level = torch.where(
        resize_padding_mask(features.padding_mask, (4, 6))[:, :, None], 9.0, features.levels[1]
    )
    changed = replace(empty, levels=(features.levels[0], level, features.levels[2]))
    torch.testing.assert_close(head(changed)[-1].logits, logits)  # padding stays blocked


def test_positions_are_of_keys_and_not_of_values() -> None:
    """Cells that are all the same give the same, wherever a query looks."""
    head, features = build(layer_levels=[1], num_instances=1), features_of(n=1)
    level = torch.randn(1, 1, C, 1, 1).expand(1, T, C, 4, 6)
    features = replace(features, levels=(features.levels[0], level, features.levels[2]))
    everywhere = fixed_masks(head, features, torch.ones(T, 16, 24))
    corner = -torch.ones(T, 16, 24)
    corner[0, :4, :4] = 1
    expected = head(everywhere)[1].logits
    torch.testing.assert_close(head(fixed_masks(head, features, corner))[1].logits, expected)
    level = torch.randn_like(level)
    features = replace(features, levels=(features.levels[0], level, features.levels[2]))
    seen = [head(fixed_masks(head, features, m))[1].logits for m in (corner, corner.flip(-1))]
    assert not torch.allclose(*seen)


def test_permuted_queries_give_permuted_outputs() -> None:
    head, features, order = build(pool_features=True), features_of(), torch.randperm(Q)
    expected = head(features)[-1]
    for embedding in (head.query_feat, head.query_embed):
        embedding.weight.data = embedding.weight.data[order]
    permuted = head(features)[-1]
    torch.testing.assert_close(permuted.logits, expected.logits[:, :, order])
    torch.testing.assert_close(masks_of(permuted), masks_of(expected)[:, order])


def test_takes_clips_shorter_than_num_frames() -> None:
    layers = build(num_frames=4)(features_of(t=1))
    assert layers[-1].logits.shape == (N, 1, Q, K + 1)
    assert masks_of(layers[-1]).shape == (N, Q, 1, 16, 24)


def test_runs_in_bfloat16() -> None:
    head, features = build(pool_features=True, pixel_classes=True).train(), features_of()
    expected = head(features)[0]
    with torch.autocast("cpu", torch.bfloat16):
        layers = head(features)
    torch.testing.assert_close(masks_of(layers[0]).float(), masks_of(expected), rtol=0.1, atol=0.1)
    maps = layers[-1].pixel_logits
    sum(m.float().sum() for m in (layers[-1].logits, masks_of(layers[-1]), *maps)).backward()
    for name, parameter in head.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


def test_pooled_features_of_large_clips_do_not_overflow_in_float16() -> None:
    """3 frames of 640x640 pixels have 76800 cells; float16 ends at 65504."""
    head = build(pool_features=True, layer_levels=[0], num_instances=1)
    features = features_of(n=1, size=(640, 640))
    features = replace(features, mask_features=2 + features.mask_features)
    expected = head(features)[0].logits
    with torch.autocast("cpu", torch.float16):
        logits = head(features)[0].logits
    torch.testing.assert_close(logits.float(), expected, rtol=0.05, atol=0.05)


def test_a_model_without_pixel_decoder_is_refused() -> None:
    with pytest.raises(UserInputError, match="MaskedAttentionHead needs one"):
        build()(replace(features_of(), mask_features=None))


def seeded(**changes: Any) -> MaskedAttentionHead:
    return build(num_frames=1, seeds=dict(type="mmttsrn.QuerySeeds"), **changes)


def test_queries_begin_at_the_peaks_of_the_seed_map() -> None:
    torch.manual_seed(0)
    head, features = seeded(num_instances=2), features_of(1, 1)
    cells = torch.zeros(1, 1, C, 8, 12)
    cells[..., 2, 3] = cells[..., 6, 9] = torch.randn(C)
    features = replace(features, levels=(*features.levels[:2], cells))
    # A cell scores by its own features alone.
    head.seeds.tower = nn.Identity()
    with torch.no_grad():
        head.seeds.score.weight.copy_(cells[:, 0, :, 2:3, 3:4])
    first, *_, last = head(features)
    assert last.gives == head.gives == {"boxes", "masks", "seed_logits"}
    assert first.seed_logits is None
    assert last.seed_logits.shape == (1, 8, 12)
    boxes = first.boxes[0, 0]  # as wide as at first
    assert torch.allclose(boxes[:, 2:], torch.full((2, 2), 0.3), atol=1e-6)
    centers = sorted((round(x * 12 - 0.5, 3), round(y * 8 - 0.5, 3)) for x, y, *_ in boxes.tolist())
    assert centers == [(3, 2), (9, 6)]


def test_masks_fall_outside_of_their_boxes() -> None:
    head, features = seeded(), features_of(1, 1)
    embedding = head.mask_branch.net[-1]
    nn.init.zeros_(embedding.weight)
    nn.init.zeros_(embedding.bias)  # so that nothing but the box is left
    layer = head(features)[-1]
    masks = masks_of(layer)[0, :, 0]  # Q, 16, 24
    for mask, (x, y, w, h) in zip(masks, layer.boxes[0, 0].tolist(), strict=True):
        rows = ((torch.arange(16) + 0.5) / 16 - y).abs() <= h / 2
        columns = ((torch.arange(24) + 0.5) / 24 - x).abs() <= w / 2
        assert torch.equal(mask == 0, rows[:, None] & columns)
        assert mask[~(rows[:, None] & columns)].max() < 0


def test_seeds_do_not_see_padding() -> None:
    head, features = seeded(num_instances=64), features_of(1, 1)
    padding_mask = torch.zeros(1, 1, 2, 3, dtype=torch.bool)
    padding_mask[..., 2:] = True  # a third of the width; boxes are parts of the rest, 8x8 cells
    layer = head(replace(features, padding_mask=padding_mask))[0]
    columns, rows = (layer.boxes[0, 0, :, :2] * 8).floor().int().unbind(1)
    assert sorted(zip(rows.tolist(), columns.tolist(), strict=True)) == [
        (row, column) for row in range(8) for column in range(8)
    ]


def test_more_queries_than_cells_are_refused() -> None:
    with pytest.raises(UserInputError, match="num_instances=97: a frame has only 96 cells"):
        seeded(num_instances=97)(features_of(1, 1))


def test_seeds_are_for_single_frames() -> None:
    with pytest.raises(UserInputError, match="seeds with num_frames=4: expected num_frames=1"):
        build(seeds=dict(type="mmttsrn.QuerySeeds"))
