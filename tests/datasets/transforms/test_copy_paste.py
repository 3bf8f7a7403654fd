import json
import pickle
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmcv.transforms import Compose
from mmdet.datasets import ConcatDataset
from mmdet.datasets.samplers import TrackImgSampler
from mmdet.structures.mask import BitmapMasks
from pycocotools import mask as mask_utils

from mmttsrn.datasets.transforms import ClipCopyPaste
from mmttsrn.errors import UserInputError
from mmttsrn.hosts.mmdet import YouTubeVISDataset

HEIGHT, WIDTH, LENGTH = 60, 100, 3
OWN, OTHER = 4, 9  # video ids
PLAIN = {"scale": (1, 1), "flip_prob": 0, "max_shift": 0, "brightness": 0, "color": 0,
         "edge_blur": 0}  # fmt: skip
LOADING = [
    {"type": "mmttsrn.ClipSample", "num_frames": 4, "test_mode": True},
    {
        "type": "mmttsrn.ClipBroadcaster",
        "transforms": [
            {"type": "mmttsrn.LoadVideoFrame"},
            {"type": "mmdet.LoadTrackAnnotations", "with_mask": True},
        ],
    },
]


class TwoVideos:
    """The clip's own video, and one with an object of 20x20, blue left and red right."""

    def __init__(self, folder: Path, crowd: int = 0, hidden: tuple[int, ...] = ()) -> None:
        image = np.full((HEIGHT, WIDTH, 3), (0, 90, 0), np.uint8)
        image[20:40, 40:50] = (200, 0, 0)
        image[20:40, 50:60] = (0, 0, 200)
        path = folder / "other.png"
        cv2.imwrite(str(path), image)
        mask = np.zeros((HEIGHT, WIDTH), np.uint8)
        mask[20:40, 40:60] = 1
        instance = {
            "bbox": [40, 20, 60, 40],
            "bbox_label": 2,
            "mask": mask_utils.encode(np.asfortranarray(mask)),
            "instance_id": 1,
            "ignore_flag": crowd,
        }
        self.images = [
            {
                "img_path": str(path),
                "height": HEIGHT,
                "width": WIDTH,
                "instances": [] if frame in hidden else [instance],
            }
            for frame in range(LENGTH)
        ]

    def __len__(self) -> int:
        return 2

    def get_data_info(self, idx: int) -> dict:
        images = [{}] if idx == 0 else self.images
        return {"video_id": (OWN, OTHER)[idx], "images": images}


def grey_clip() -> dict[str, list]:
    """A grey clip with one object in its upper left corner, of id 1 and class 0."""
    masks = np.zeros((1, HEIGHT, WIDTH), np.uint8)
    masks[0, :5, :5] = 1
    frame = {
        "img": np.full((HEIGHT, WIDTH, 3), 128, np.uint8),
        "video_id": OWN,
        "gt_masks": BitmapMasks(masks, HEIGHT, WIDTH),
        "gt_bboxes": np.array([[0, 0, 5, 5]], np.float32),
        "gt_bboxes_labels": np.array([0]),
        "gt_instances_ids": np.array([1], np.int32),
        "gt_ignore_flags": np.array([False]),
    }
    return {key: [value] * LENGTH for key, value in frame.items()}


def paste(videos: object, seed: int = 0, **options: object) -> dict[str, list]:
    """A clip with one object or more pasted on it."""
    transform = ClipCopyPaste(**{"max_objects": 1, **PLAIN, **options})
    transform.videos = videos
    np.random.seed(seed)
    for _ in range(20):  # until it pastes at all
        results = transform(grey_clip())
        if any(2 in ids for ids in results["gt_instances_ids"]):
            return results
    raise AssertionError("nothing is pasted")


def test_object_keeps_its_pixels(tmp_path: Path) -> None:
    for seed in range(5):
        results = paste(TwoVideos(tmp_path), seed)
        for t in range(LENGTH):
            assert results["gt_instances_ids"][t].tolist()[-1] == 2
            assert results["gt_bboxes_labels"][t].tolist()[-1] == 2
            mask = results["gt_masks"][t].masks[-1].astype(bool)
            pixels = results["img"][t]
            inner = cv2.erode(mask.astype(np.uint8), np.ones((5, 5))).astype(bool)
            assert (pixels[inner][:, 1] < 20).all()  # neither grey nor green
            assert (
                pixels[~cv2.dilate(mask.astype(np.uint8), np.ones((5, 5))).astype(bool)] == 128
            ).all()
            assert np.array_equal(pixels, results["img"][0])  # it stands still


@pytest.mark.parametrize(("flip_prob", "first"), [(0, 0), (1, 2)])
def test_flip(tmp_path: Path, flip_prob: int, first: int) -> None:
    results = paste(TwoVideos(tmp_path), seed=3, flip_prob=flip_prob)
    colored = results["img"][0][..., [0, 2]].astype(int)
    columns = {
        channel: np.nonzero((colored[..., channel // 2] > 150).any(0))[0] for channel in (0, 2)
    }
    if len(columns[0]) and len(columns[2]):
        assert columns[first].max() < columns[2 - first].max()
    else:
        pytest.fail("the seed leaves one half outside of the frame")


def whole_area(results: dict) -> int | None:
    """Area of the pasted object where it touches no border."""
    mask = results["gt_masks"][0].masks[-1]
    touches = mask[[0, -1]].any() or mask[:, [0, -1]].any()
    return None if touches else int(mask.sum())


@pytest.mark.parametrize("scale", [0.5, 1.0, 1.5])
def test_scale(tmp_path: Path, scale: float) -> None:
    areas = [
        whole_area(paste(TwoVideos(tmp_path), seed, scale=(scale, scale))) for seed in range(12)
    ]
    areas = [area for area in areas if area]
    assert areas
    assert np.mean(areas) == pytest.approx((20 * scale) ** 2, rel=0.1)


def test_brightness_and_color(tmp_path: Path) -> None:
    bright = {
        paste(TwoVideos(tmp_path), s, brightness=0.5)["img"][0][..., 0].max() for s in range(6)
    }
    assert len(bright) > 3
    plain = {paste(TwoVideos(tmp_path), s)["img"][0][..., 0].max() for s in range(6)}
    assert plain <= {200, 128}  # 128 where the blue half is outside


def test_path_moves_evenly(tmp_path: Path) -> None:
    for seed in range(10):
        results = paste(TwoVideos(tmp_path), seed, max_shift=0.3)
        if any(len(ids) < 2 for ids in results["gt_instances_ids"]):
            continue
        if any(whole_area({"gt_masks": [m]}) is None for m in results["gt_masks"]):
            continue
        boxes = np.array([boxes[-1] for boxes in results["gt_bboxes"]])
        steps = np.diff(boxes, axis=0)
        assert np.abs(steps[0] - steps[1]).max() <= 2  # pixels are whole
        assert np.abs(steps).max() > 0
        break
    else:
        pytest.fail("no seed leaves the object inside")


def test_what_is_hidden_is_not_listed(tmp_path: Path) -> None:
    results = paste(TwoVideos(tmp_path), scale=(50, 50))
    for t in range(LENGTH):
        if results["gt_masks"][t].masks[-1].all():
            assert results["gt_instances_ids"][t].tolist() == [2]
            assert results["gt_bboxes"][t].tolist() == [[0, 0, WIDTH, HEIGHT]]
            assert len(results["gt_ignore_flags"][t]) == len(results["gt_bboxes_labels"][t]) == 1
        else:
            pytest.fail("the object should cover the frame")


def test_frames_without_the_object_are_left_alone(tmp_path: Path) -> None:
    results = paste(TwoVideos(tmp_path, hidden=(1,)))
    assert [len(ids) for ids in results["gt_instances_ids"]] == [2, 1, 2]
    assert (results["img"][1] == 128).all()


def test_soft_edge_is_in_the_image_only(tmp_path: Path) -> None:
    hard, soft = (paste(TwoVideos(tmp_path), 1, edge_blur=blur) for blur in (0, 2))
    assert np.array_equal(hard["gt_masks"][0].masks, soft["gt_masks"][0].masks)
    changed = [(one["img"][0] != 128).any(-1).sum() for one in (hard, soft)]
    assert changed[1] > changed[0]


def test_crowd_is_never_pasted(tmp_path: Path) -> None:
    transform = ClipCopyPaste(max_objects=3)
    transform.videos = TwoVideos(tmp_path, crowd=1)
    np.random.seed(0)
    for _ in range(5):
        results = transform(grey_clip())
        assert [len(ids) for ids in results["gt_instances_ids"]] == [1] * LENGTH


@pytest.fixture
def build(build_dataset: Callable, shapes_json: dict) -> Callable[..., YouTubeVISDataset]:
    """Builds the generated data set with copy-paste or without it."""

    def build(with_paste: bool = True, **kwargs: object) -> YouTubeVISDataset:
        step = {"type": "mmttsrn.ClipCopyPaste", "max_objects": 3, "edge_blur": 0}
        return build_dataset(shapes_json, pipeline=[*LOADING, *[step] * with_paste], **kwargs)

    return build


def test_annotations_stay_in_line(build: Callable, shapes_json: dict) -> None:
    plain, pasting = build(with_paste=False), build()
    pasted_ids = []
    for seed in range(20):
        np.random.seed(seed)
        before, after = plain[seed % 4], pasting[seed % 4]
        labels: dict[int, int] = {}
        for t in range(4):
            ids = after["gt_instances_ids"][t].tolist()
            masks = after["gt_masks"][t].masks.astype(bool)
            assert len(set(ids)) == len(ids) == len(masks) == len(after["gt_ignore_flags"][t])
            assert masks.any(axis=(1, 2)).all()
            assert masks.sum(0).max(initial=0) <= 1
            for key, label in zip(ids, after["gt_bboxes_labels"][t].tolist(), strict=True):
                assert labels.setdefault(key, label) == label
            for mask, box in zip(masks, after["gt_bboxes"][t], strict=True):
                rows, columns = np.nonzero(mask)
                expected = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
                assert box.tolist() == expected
            old_ids = before["gt_instances_ids"][t].tolist()
            new = [index for index, key in enumerate(ids) if key not in old_ids]
            top = masks[new].any(0) if new else np.zeros(masks.shape[1:], bool)
            for key, mask in zip(old_ids, before["gt_masks"][t].masks.astype(bool), strict=True):
                left = mask & ~top
                assert (key in ids) == left.any()
                if left.any():
                    assert np.array_equal(masks[ids.index(key)], left)
            known = {key for frame in before["gt_instances_ids"] for key in frame.tolist()}
            pasted_ids += set(ids) - known
    assert len(pasted_ids) > 40


def test_a_seed_gives_the_same_clip(build: Callable) -> None:
    dataset = build()
    clips = []
    for seed in (1, 1, 2):
        np.random.seed(seed)
        clips.append(np.concatenate([np.stack(dataset[i]["img"]) for i in range(4)]))
    assert np.array_equal(clips[0], clips[1])
    assert not np.array_equal(clips[0], clips[2])


def test_samplers_subsets_and_workers_keep_the_videos(build: Callable) -> None:
    dataset = build()
    assert all(dataset[index]["img"] for index in TrackImgSampler(dataset, seed=0))
    for copy in (pickle.loads(pickle.dumps(dataset)), dataset.get_subset([0, 1])):
        assert copy.pipeline.transforms[-1].videos is copy
        assert copy[0]["img"]
    dataset = build(indices=[2, 3])
    assert len(dataset.pipeline.transforms[-1].videos) == 2


def test_missing_videos_are_told(build: Callable) -> None:
    with pytest.raises(UserInputError, match="expected a YouTubeVISDataset of two"):
        build(indices=[0])[0]
    with pytest.raises(UserInputError, match="expected a YouTubeVISDataset of two"):
        Compose([ClipCopyPaste()])(grey_clip())


def test_objects_of_another_data_set_on_backgrounds_without_annotations(
    build_dataset: Callable, shapes_json: dict, tmp_path: Path
) -> None:
    shapes = build_dataset(shapes_json)
    source = {
        "type": "mmttsrn.YouTubeVISDataset",
        "ann_file": shapes.ann_file,
        "data_prefix": shapes.data_prefix,
    }
    cv2.imwrite(str(tmp_path / "background.png"), np.full((HEIGHT, WIDTH, 3), 7, np.uint8))
    background = {"id": 5, "height": HEIGHT, "width": WIDTH, "length": 1}
    content = {
        "videos": [background | {"file_names": ["background.png"]}],
        "categories": [{"id": 1, "name": "thing"}],
        "annotations": [],
    }
    (tmp_path / "backgrounds.json").write_text(json.dumps(content))
    paste = {"type": "mmttsrn.ClipCopyPaste", "max_objects": 2, "source": source}
    dataset = YouTubeVISDataset(
        ann_file=str(tmp_path / "backgrounds.json"),
        data_prefix={"img_path": str(tmp_path)},
        filter_cfg={"filter_empty_gt": False},
        pipeline=[*LOADING, paste],
    )
    assert len(dataset) == 1
    joined = ConcatDataset([shapes, dataset], ignore_keys=["ann_file"])
    assert joined.metainfo["classes"] == shapes.metainfo["classes"]
    labels = set()
    for seed in range(20):
        np.random.seed(seed)
        clip = dataset[0]
        for image, frame_labels in zip(clip["img"], clip["gt_bboxes_labels"], strict=True):
            labels |= set(frame_labels.tolist())
            assert (image.max() > 7) == bool(len(frame_labels))
    assert labels == {0, 1, 2, 3}


def test_objects_of_other_classes_are_refused(build_dataset: Callable, shapes_json: dict) -> None:
    shapes = build_dataset(shapes_json)
    source = {
        "type": "mmttsrn.YouTubeVISDataset",
        "ann_file": shapes.ann_file,
        "data_prefix": shapes.data_prefix,
        "class_agnostic": True,
    }
    paste = {"type": "mmttsrn.ClipCopyPaste", "source": source}
    with pytest.raises(UserInputError, match=r"expected the classes of .*; got object"):
        build_dataset(shapes_json, pipeline=[*LOADING, paste])
    build_dataset(shapes_json, pipeline=[*LOADING, paste], class_agnostic=True)
