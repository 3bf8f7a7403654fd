import warnings

import pytest
import torch
from vis_samples import Rectangle, clip_sample

from mmttsrn.hosts.mmdet.samples import clip_targets
from mmttsrn.structures import SequenceTargets


def build(
    rectangles: list[Rectangle], max_instances: int = 10, with_masks: bool = True, **kwargs
) -> SequenceTargets:
    sample = clip_sample(
        rectangles, num_frames=len(rectangles[0].boxes) if rectangles else 3, **kwargs
    )
    return clip_targets(sample, with_masks, max_instances)


def test_sequences_in_order_of_first_appearance() -> None:
    targets = build(
        [
            Rectangle(7, 2, [None, (0, 0, 10, 20), (2, 0, 12, 20)]),
            Rectangle(3, 1, [(40, 30, 60, 50), None, (48, 30, 68, 50)]),
        ]
    )
    assert len(targets) == 2
    assert targets.labels.tolist() == [1, 2]
    assert targets.valid.tolist() == [[True, False, True], [False, True, True]]
    assert (targets.labels[:, None] * targets.valid).tolist() == [[1, 0, 1], [0, 2, 2]]
    expected = torch.tensor([50 / 96, 40 / 64, 20 / 96, 20 / 64])
    torch.testing.assert_close(targets.boxes[0, 0], expected)
    assert not targets.boxes[0, 1].any()
    assert targets.masks.shape == (2, 3, 64, 96)
    assert targets.masks[0, 0, 30:50, 40:60].all()
    assert targets.masks.flatten(2).sum(-1).tolist() == [[400, 0, 400], [0, 200, 200]]
    assert targets.frame_size == (64, 96)


def test_boxes_are_relative_to_the_unpadded_frame_and_masks_cover_the_padded_one() -> None:
    sample = clip_sample([Rectangle.moving(1, 0, (8, 8, 24, 24))], size=(32, 48))
    for frame in sample:
        frame.set_metainfo(dict(batch_input_shape=(64, 96)))
    targets = clip_targets(sample, True, 4)
    torch.testing.assert_close(targets.boxes[0, 0], torch.tensor([1 / 3, 0.5, 1 / 3, 0.5]))
    assert targets.masks.shape == (1, 3, 64, 96)
    assert targets.masks[0, 0].nonzero().amax(0).tolist() == [23, 23]
    assert targets.frame_size == (32, 48)


def test_an_instance_without_pixels_or_extent_is_absent() -> None:
    sample = clip_sample(
        [
            Rectangle.moving(1, 2, (8, 8, 24, 24)),
            Rectangle.moving(2, 1, (40, 8, 60, 24)),
            Rectangle.moving(3, 1, (70, 30, 80, 40)),
        ]
    )
    sample[1].gt_instances.masks.masks[0] = 0
    sample[2].gt_instances.bboxes[1] = torch.tensor([50.0, 8.0, 50.0, 24.0])
    for frame in sample:
        frame.gt_instances.masks.masks[2] = 0
    targets = clip_targets(sample, True, 4)
    assert targets.valid.tolist() == [[True, False, True], [True, True, False]]
    assert not targets.boxes[~targets.valid].any()
    assert targets.labels.tolist() == [2, 1]


@pytest.mark.parametrize("with_masks", [True, False])
def test_no_instance(with_masks: bool) -> None:
    targets = build([], with_masks=with_masks)
    assert len(targets) == 0
    assert targets.boxes.shape == (0, 3, 4)
    assert targets.valid.shape == (0, 3)
    assert targets.labels.dtype == torch.int64
    assert (targets.masks.shape == (0, 3, 64, 96)) if with_masks else targets.masks is None


@pytest.mark.parametrize("with_masks", [True, False])
def test_the_largest_instances_are_kept_with_a_warning(with_masks: bool) -> None:
    rectangles = [
        Rectangle.moving(1, 2, (0, 0, 20, 20)),
        Rectangle.moving(2, 0, (0, 40, 5, 45)),
        # Larger than the first in its frame, but not over the clip.
        Rectangle(3, 0, [(60, 32, 90, 62), None, None]),
        Rectangle.moving(4, 1, (40, 0, 80, 30)),
    ]
    with pytest.warns(UserWarning, match="more than the 2 instances that the model predicts"):
        targets = build(rectangles, max_instances=2, with_masks=with_masks)
    assert targets.labels.tolist() == [2, 1]
    assert targets.valid.all()


def test_masks_not_boxes_tell_which_instances_are_the_largest() -> None:
    sample = clip_sample(
        [Rectangle.moving(1, 2, (0, 0, 60, 40)), Rectangle.moving(2, 1, (64, 0, 84, 20))]
    )
    for frame in sample:
        frame.gt_instances.masks.masks[0, 5:] = 0  # a wide box with few pixels
    with pytest.warns(UserWarning, match="more than the 1 instances"):
        targets = clip_targets(sample, True, 1)
    assert targets.labels.tolist() == [1]


def test_as_many_instances_as_fit_need_no_warning() -> None:
    rectangles = [Rectangle.moving(i, 0, (8 * i, 0, 8 * i + 6, 6)) for i in range(4)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(build(rectangles, max_instances=4)) == 4


def test_a_clip_is_complete_if_all_its_frames_are() -> None:
    sample = clip_sample([])
    assert clip_targets(sample, True, 5).complete
    for frame, complete in zip(sample, (True, False, True), strict=True):
        frame.set_metainfo(dict(complete=complete))
    assert not clip_targets(sample, True, 5).complete


def test_select_keeps_order_and_all_fields() -> None:
    targets = build([Rectangle.moving(i, i % 3, (8 * i, 0, 8 * i + 6, 6)) for i in range(4)])
    chosen = targets.select(torch.tensor([2, 0]))
    assert chosen.labels.tolist() == [2, 0]
    assert torch.equal(chosen.boxes, targets.boxes[[2, 0]])
    assert torch.equal(chosen.valid, targets.valid[[2, 0]])
    assert torch.equal(chosen.masks, targets.masks[[2, 0]])
    assert chosen.frame_size == targets.frame_size
