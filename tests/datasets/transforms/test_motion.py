"""Clips as a moving camera sees them."""

import numpy as np
import pytest
from mmdet.structures.mask import BitmapMasks

from mmttsrn.datasets.transforms import ClipMotion

HEIGHT, WIDTH = 60, 100
STILL = dict(max_rotation=0, scale=(1, 1), max_shift=0)


def clip_of(num_frames: int) -> dict[str, list]:
    """A photograph with a bright block, repeated, and the block's mask."""
    image = np.full((HEIGHT, WIDTH, 3), 40, np.uint8)
    image[20:40, 30:60] = 220
    # Column by column, as decoding an RLE leaves it.
    mask = np.asfortranarray((image[None, ..., 0] > 128).astype(np.uint8))
    frames = range(num_frames)
    return {
        "img": [image.copy() for _ in frames],
        "gt_masks": [BitmapMasks(mask.copy(order="K"), HEIGHT, WIDTH) for _ in frames],
        "gt_bboxes": [np.array([[30, 20, 60, 40]], np.float32) for _ in frames],
    }


def centers(clip: dict[str, list]) -> np.ndarray:
    """Centre x, y of the mask in each frame (T, 2)."""
    points = [np.nonzero(masks.masks[0]) for masks in clip["gt_masks"]]
    return np.array([[columns.mean(), rows.mean()] for rows, columns in points])


@pytest.mark.parametrize("seed", range(5))
def test_masks_and_boxes_stay_with_their_pixels(seed: int) -> None:
    np.random.seed(seed)
    clip = ClipMotion(max_rotation=20, scale=(0.7, 1.4), max_shift=0.2).transform(clip_of(4))
    for image, masks, boxes in zip(clip["img"], clip["gt_masks"], clip["gt_bboxes"], strict=True):
        bright = image[..., 0] > 128
        wrong = (bright != masks.masks[0].astype(bool)).sum()
        assert wrong < 0.1 * bright.sum()  # along the edge
        rows, columns = np.nonzero(masks.masks[0])
        expected = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        np.testing.assert_array_equal(boxes, [expected])
        assert boxes.dtype == np.float32


def test_motion_is_even() -> None:
    np.random.seed(0)
    moved = ClipMotion(max_rotation=0, scale=(1, 1), max_shift=0.1).transform(clip_of(4))
    steps = np.diff(centers(moved), axis=0)
    assert np.abs(steps).max() > 0.5
    np.testing.assert_allclose(steps, np.broadcast_to(steps.mean(0), steps.shape), atol=1.1)


def test_without_motion_nothing_changes() -> None:
    clip, before = ClipMotion(**STILL).transform(clip_of(3)), clip_of(3)
    for key in before:
        for found, expected in zip(clip[key], before[key], strict=True):
            found, expected = (getattr(x, "masks", x) for x in (found, expected))
            np.testing.assert_array_equal(found, expected)


def test_an_instance_that_leaves_has_no_pixel() -> None:
    clip = clip_of(2)
    for masks in clip["gt_masks"]:
        masks.masks = np.concatenate([masks.masks, np.zeros_like(masks.masks)])
    moved = ClipMotion().transform(clip)
    assert [m.masks.any((1, 2)).tolist() for m in moved["gt_masks"]] == [[True, False]] * 2
    assert all(len(boxes) == 2 for boxes in moved["gt_bboxes"])


def test_a_single_frame_and_one_without_instances() -> None:
    clip = clip_of(1)
    clip["gt_masks"] = [BitmapMasks(np.zeros((0, HEIGHT, WIDTH), np.uint8), HEIGHT, WIDTH)]
    clip["gt_bboxes"] = [np.zeros((0, 4), np.float32)]
    moved = ClipMotion().transform(clip)
    assert moved["gt_masks"][0].masks.shape == (0, HEIGHT, WIDTH)
    assert moved["gt_bboxes"][0].shape == (0, 4)
