from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmcv.transforms import Compose
from mmdet.structures.mask import BitmapMasks
from mmengine.config import Config
from pycocotools import mask as mask_utils

from mmttsrn.datasets.transforms import DropInvisibleInstances
from mmttsrn.hosts.mmdet import ClipPhotoMetricDistortion
from mmttsrn.setup_env import register_all_modules

CONFIG = Path(__file__).parents[3] / "configs/_base_/datasets/youtube_vis_2019.py"
COLORS = {1: (250, 20, 20), 2: (20, 250, 20), 3: (20, 20, 250), 4: (240, 240, 20)}
HEIGHT, WIDTH = 360, 640


def encode(mask: np.ndarray) -> dict:
    rle = mask_utils.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": rle["size"], "counts": rle["counts"].decode()}


def still_video(folder: Path, boxes: dict[int, tuple[int, int, int, int]], length: int) -> dict:
    """A video whose frames are all one picture: a grey ground with one coloured box per id."""
    image = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
    instances = []
    for instance_id, (x1, y1, x2, y2) in boxes.items():
        image[y1:y2, x1:x2] = COLORS[instance_id]
        mask = np.zeros((HEIGHT, WIDTH), bool)
        mask[y1:y2, x1:x2] = True
        instances.append(
            {
                "bbox": [x1, y1, x2, y2],
                "bbox_label": instance_id - 1,
                "mask": encode(mask),
                "instance_id": instance_id,
                "ignore_flag": 0,
            }
        )
    path = folder / "still.png"
    cv2.imwrite(str(path), image)
    frame = {"img_path": str(path), "height": HEIGHT, "width": WIDTH, "instances": instances}
    images = [frame | {"img_id": index, "frame_id": index} for index in range(length)]
    return {"video_id": 1, "video_length": length, "images": images}


BOXES = {
    1: (0, 0, 60, 60),
    2: (580, 300, 640, 360),
    3: (300, 160, 340, 200),
    4: (0, 180, 640, 183),
}


@pytest.fixture
def augment() -> Callable[..., dict]:
    """Runs the reference augmentation of 8 frames; ``change`` edits its config first."""
    register_all_modules()

    def run(video: dict, seed: int, change: Callable[[list], None] = lambda steps: None) -> dict:
        steps = Config.fromfile(CONFIG).train_pipeline
        steps[0].num_frames = 8
        change(steps)
        np.random.seed(seed)
        return Compose(steps)(video)

    return run


def frames_agree(sample: dict) -> bool:
    images = sample["inputs"]
    frames = sample["data_samples"].video_data_samples
    same = bool((images == images[:1]).all())
    for frame in frames:
        first, other = frames[0].gt_instances, frame.gt_instances
        same &= first.instances_ids.tolist() == other.instances_ids.tolist()
        same &= first.bboxes.tolist() == other.bboxes.tolist()
        same &= np.array_equal(first.masks.masks, other.masks.masks)
    return same


def test_all_random_parameters_are_shared_by_the_frames(tmp_path: Path, augment) -> None:
    video = still_video(tmp_path, BOXES, length=12)
    samples = [augment(video, seed) for seed in range(6)]
    assert all(frames_agree(sample) for sample in samples)
    shapes = {tuple(sample["inputs"].shape) for sample in samples}
    flips = {sample["data_samples"][0].flip for sample in samples}
    assert len(shapes) > 1
    assert flips == {True, False}


def test_nested_random_choices_are_shared_too(tmp_path: Path, augment) -> None:
    video = still_video(tmp_path, BOXES, length=12)

    def nest(steps: list) -> None:
        inner = steps[1].transforms
        load, augmentation = inner[:2], inner[2:-1]
        branches = [augmentation, [{"type": "Resize", "scale": (320, 180)}]]
        choice = {"type": "RandomChoice", "transforms": branches}
        steps[1].transforms = [*load, choice, inner[-1]]

    samples = [augment(video, seed, nest) for seed in range(6)]
    assert all(frames_agree(sample) for sample in samples)
    assert len({tuple(sample["inputs"].shape) for sample in samples}) > 1


def test_frames_disagree_without_sharing(tmp_path: Path, augment) -> None:
    """The check above can fail: without sharing, frames differ in shape and cannot be stacked."""
    video = still_video(tmp_path, BOXES, length=12)

    def unshare(steps: list) -> None:
        steps[1].type = "TransformBroadcaster"

    with pytest.raises(ValueError, match="same shape"):
        augment(video, 0, unshare)


def test_the_same_numpy_seed_gives_the_same_clip(tmp_path: Path, augment) -> None:
    video = still_video(tmp_path, BOXES, length=12)
    first, second = augment(video, 3), augment(video, 3)
    assert (first["inputs"] == second["inputs"]).all()


def test_instances_stay_aligned_through_crop_and_resize(tmp_path: Path, augment) -> None:
    video = still_video(tmp_path, BOXES, length=12)

    def plain_colors(steps: list) -> None:
        inner = steps[1].transforms
        steps[1].transforms = [t for t in inner if "PhotoMetric" not in t.type]

    counts = set()
    for seed in range(8):
        sample = augment(video, seed, plain_colors)
        frame = sample["data_samples"][0]
        instances = frame.gt_instances
        image = sample["inputs"][0].permute(1, 2, 0).numpy()
        height, width = frame.img_shape
        counts.add(len(instances))
        assert min(height, width) == 300 or max(height, width) == 540
        for index, instance_id in enumerate(instances.instances_ids.tolist()):
            mask = instances.masks.masks[index].astype(bool)
            assert mask.any()
            assert instances.labels[index] == instance_id - 1
            color = np.median(image[mask], axis=0)
            assert np.abs(color - COLORS[instance_id]).max() < 60
            rows, columns = np.nonzero(mask)
            tight = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            box = instances.bboxes[index].tolist()
            assert np.abs(np.subtract(box, tight)).max() <= 2
            assert min(box) >= 0
            assert box[2] <= width
            assert box[3] <= height
    assert len(counts) > 1  # some crops lose instances


@pytest.mark.parametrize("boxes", [{}, {1: (0, 0, 2, 2)}])
def test_clips_without_instances_go_through(tmp_path: Path, augment, boxes: dict) -> None:
    video = still_video(tmp_path, boxes, length=3)
    for seed in range(5):
        sample = augment(video, seed)
        instances = sample["data_samples"][0].gt_instances
        assert sample["inputs"].shape[0] == 8
        assert instances.bboxes.shape == (len(instances.labels), 4)
        assert instances.masks.masks.shape == (len(instances.labels), *sample["inputs"].shape[2:])


def test_photometric_distortion_gives_bytes_in_range() -> None:
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    changed = False
    for seed in range(10):
        np.random.seed(seed)
        result = ClipPhotoMetricDistortion()({"img": image.copy()})["img"]
        assert result.dtype == np.uint8
        assert result.shape == image.shape
        difference = np.abs(result.astype(int) - image)
        changed |= bool(difference.any())
        # Wrapped-around bytes would turn bright pixels black under a small change of brightness.
        assert np.corrcoef(result.sum(-1).ravel(), image.sum(-1).ravel())[0, 1] > 0.3
    assert changed


def test_drop_invisible_keeps_every_list_aligned() -> None:
    masks = np.zeros((4, 6, 8), np.uint8)
    masks[1, 2:4, 3:5] = 1
    masks[3, 0, 0] = 1
    results = DropInvisibleInstances()(
        {
            "gt_masks": BitmapMasks(masks, 6, 8),
            "gt_bboxes": np.array(
                [[0, 0, 3, 3], [3, 2, 5, 4], [1, 1, 2, 2], [0, 0, 0, 1]], np.float32
            ),
            "gt_bboxes_labels": np.arange(4),
            "gt_instances_ids": np.arange(4) + 10,
            "gt_ignore_flags": np.array([False, False, True, True]),
        }
    )
    assert results["gt_bboxes_labels"].tolist() == [1, 3]
    assert results["gt_instances_ids"].tolist() == [11, 13]
    assert results["gt_ignore_flags"].tolist() == [False, True]
    assert results["gt_masks"].masks.shape == (2, 6, 8)
    assert results["gt_bboxes"].tolist() == [[3, 2, 5, 4], [0, 0, 1, 1]]
