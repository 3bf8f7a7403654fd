import hashlib
import json
import runpy
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from pycocotools import mask as mask_utils

from mmttsrn.datasets.synthetic import CLASSES, MIN_VISIBLE_PIXELS, write_moving_shapes
from mmttsrn.hosts.mmdet import YouTubeVISDataset

TOOL = Path(__file__).parents[2] / "tools/dataset_converters/make_moving_shapes.py"


def digest(folder: Path) -> str:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = [f"{path.relative_to(folder)} {path.read_bytes().hex()}" for path in files]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def decoded_masks(content: dict) -> list[dict[int, np.ndarray]]:
    """Per annotation the visible masks by frame."""
    return [
        {
            frame: mask_utils.decode(mask_utils.frPyObjects(rle, *rle["size"])).astype(bool)
            for frame, rle in enumerate(annotation["segmentations"])
            if rle
        }
        for annotation in content["annotations"]
    ]


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> dict:
    folder = tmp_path_factory.mktemp("shapes")
    write_moving_shapes(folder, train_clips=16, val_clips=1, num_frames=12, seed=0)
    dataset = YouTubeVISDataset(
        ann_file="train.json",
        data_root=str(folder),
        data_prefix={"img_path": "train/JPEGImages"},
    )
    assert len(dataset) == 16
    return json.loads((folder / "train.json").read_text()) | {"folder": str(folder)}


def test_same_seed_same_bytes_and_another_seed_another_picture(tmp_path: Path) -> None:
    digests = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_moving_shapes(tmp_path / name, 2, 1, 3, size=(40, 56), seed=seed)
        digests.append(digest(tmp_path / name))
    assert digests[0] == digests[1] != digests[2]


def test_frames_are_complete_and_of_the_size(content: dict) -> None:
    images = Path(content["folder"]) / "train/JPEGImages"
    for video in content["videos"]:
        assert (video["height"], video["width"], video["length"]) == (96, 160, 12)
        for name in video["file_names"]:
            assert cv2.imread(str(images / name)).shape == (96, 160, 3)


def test_masks_are_visible_pixels_and_agree_with_areas_and_boxes(content: dict) -> None:
    covered: dict[tuple[int, int], np.ndarray] = {}
    for annotation, masks in zip(content["annotations"], decoded_masks(content), strict=True):
        for frame, mask in masks.items():
            assert annotation["areas"][frame] == mask.sum() >= MIN_VISIBLE_PIXELS
            rows, columns = np.nonzero(mask)
            x, y, w, h = annotation["bboxes"][frame]
            box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
            assert (x, y, x + w, y + h) == box
            seen = covered.setdefault((annotation["video_id"], frame), np.zeros_like(mask))
            assert not (seen & mask).any()
            seen |= mask
        nulls = [area is None for area in annotation["areas"]]
        assert nulls == [box is None for box in annotation["bboxes"]]


def test_the_data_is_not_trivial(content: dict) -> None:
    annotations = content["annotations"]
    per_clip = np.bincount([annotation["video_id"] for annotation in annotations])[1:]
    assert set(per_clip.tolist()) == {1, 2, 3, 4}
    classes = np.bincount([annotation["category_id"] for annotation in annotations])[1:]
    assert len(classes) == len(CLASSES)
    assert classes.max() - classes.min() <= 1
    absent = [any(area is None for area in annotation["areas"]) for annotation in annotations]
    assert sum(absent) >= 3  # objects enter, leave or hide
    moved, turned_or_hidden = [], []
    for annotation in annotations:
        boxes = [box for box in annotation["bboxes"] if box]
        centers = [(x + w / 2, y + h / 2) for x, y, w, h in boxes]
        moved.append(np.ptp(centers, axis=0).max())
        areas = [area for area in annotation["areas"] if area]
        turned_or_hidden.append(max(areas) / min(areas))
    assert np.median(moved) > 20
    assert np.median(turned_or_hidden) > 1.3


def test_objects_differ_from_their_ground(content: dict) -> None:
    images = Path(content["folder"]) / "train/JPEGImages"
    differences = []
    for annotation, masks in zip(content["annotations"], decoded_masks(content), strict=True):
        names = content["videos"][annotation["video_id"] - 1]["file_names"]
        frame, mask = next(iter(masks.items()))
        image = cv2.imread(str(images / names[frame])).astype(float)
        ring = cv2.dilate(mask.astype(np.uint8), np.ones((9, 9))).astype(bool) & ~mask
        differences.append(np.abs(image[mask].mean(0) - image[ring].mean(0)).max())
    assert np.median(differences) > 40


def run_tool(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Exit code of the tool, run in this process: importing the hosts anew takes seconds."""
    monkeypatch.setattr(sys, "argv", [str(TOOL), *arguments])
    try:
        runpy.run_path(str(TOOL), run_name="__main__")
    except SystemExit as done:
        return done.code
    return 0


def test_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    out = str(tmp_path / "out")
    options = ["--train-clips", "2", "--val-clips", "1", "--size", "40", "56", "--seed", "4"]
    assert run_tool(monkeypatch, out, *options, "--frames", "3") == 0
    assert "wrote 2 training and 1 validation clips of 3 frames" in capsys.readouterr().out
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["train", "train.json", "valid", "valid.json"]
    assert run_tool(monkeypatch, out, *options, "--frames", "0") == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {out}: expected at least 1 clip")
    assert error.count("\n") == 1
