"""Results on disk and the files that are made of them."""

import csv
import dataclasses
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from pycocotools import mask as mask_utils

from mmttsrn.formats.ground_truth import decode_masks, read_ground_truth
from mmttsrn.inference.result_files import (
    OverlayWriter,
    VideoResults,
    write_csv,
    write_json,
    write_pngs,
)
from mmttsrn.inference.result_store import ResultStore
from mmttsrn.structures import EncodedFrames, SequenceScores

SIZE = (12, 20)
SECONDS = [0.0, 0.04, 0.5, 0.51, 0.75]
IDS = [5, 1, 8]  # the last one is no result


def masks_of_frames() -> np.ndarray:
    """(3, 5, 12, 20): one moves, one is hidden in frames 1 and 2, one is no result."""
    masks = np.zeros((3, 5, *SIZE), bool)
    for frame in range(5):
        masks[0, frame, 2:6, 2 * frame : 2 * frame + 5] = True
        masks[1, frame, 4:10, 3:9] = frame not in (1, 2)
        masks[2, frame, 11:, :] = True
    return masks


def part_of(masks: np.ndarray) -> EncodedFrames:
    rles = [[mask_utils.encode(np.asfortranarray(m, np.uint8)) for m in row] for row in masks]
    visible = torch.from_numpy(masks.any((2, 3)))
    boxes = torch.tensor(np.array([[mask_utils.toBbox(rle) for rle in row] for row in rles]))
    boxes[..., 2:] += boxes[..., :2]
    counts = [
        [rle["counts"].decode() if seen else None for rle, seen in zip(row, shown, strict=True)]
        for row, shown in zip(rles, visible.tolist(), strict=True)
    ]
    return EncodedFrames(torch.tensor(IDS), visible * 0.5, visible, boxes.float(), counts)


@pytest.fixture
def results(tmp_path: Path):
    masks = masks_of_frames()
    with ResultStore(tmp_path / "folder" / "store") as store:
        store.add(part_of(masks[:, :2]))
        store.add(part_of(masks[:, 2:]))
        scores = SequenceScores(
            torch.tensor([1, 5]), torch.tensor([0.9, 0.6]), torch.tensor([1, 0])
        )
        yield VideoResults("clip.mp4", SIZE, 25.0, ["cat", "dog"], store, scores, SECONDS)
    assert not list((tmp_path / "folder").iterdir())


def test_json_is_read_as_annotations(results: VideoResults, tmp_path: Path) -> None:
    write_json(results, tmp_path / "clip.json")
    truth = read_ground_truth(tmp_path / "clip.json")
    (video,) = truth.videos.values()
    assert (video.height, video.width, video.length) == (*SIZE, 5)
    assert [truth.categories[s.category_id] for s in video.sequences] == ["dog", "cat"]
    assert [[text is not None for text in s.counts] for s in video.sequences] == [
        [True, False, False, True, True],
        [True] * 5,
    ]
    decode_masks(video, video.sequences)  # finds broken masks
    content = json.loads((tmp_path / "clip.json").read_text())
    assert content["videos"][0]["seconds"] == SECONDS
    assert [entry["id"] for entry in content["annotations"]] == [1, 5]
    assert [entry["score"] for entry in content["annotations"]] == pytest.approx([0.9, 0.6])
    assert content["annotations"][1]["bboxes"][1] == [2, 2, 5, 4]
    assert content["annotations"][0]["areas"] == [36, None, None, 36, 36]
    mask = mask_utils.decode(content["annotations"][1]["segmentations"][1])
    assert np.array_equal(mask, masks_of_frames()[0, 1])


def test_json_without_any_instance_is_one(results: VideoResults, tmp_path: Path) -> None:
    nothing = SequenceScores(*(values[:0] for values in results.sequences))
    write_json(replace(results, sequences=nothing), tmp_path / "a.json")
    assert json.loads((tmp_path / "a.json").read_text())["annotations"] == []


def test_table_has_a_row_for_each_instance_and_frame(results: VideoResults, tmp_path: Path) -> None:
    write_csv(results, tmp_path / "clip.csv")
    with (tmp_path / "clip.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 8
    assert {float(row["seconds"]) for row in rows} == set(SECONDS)
    assert rows[0] == {
        "frame": "0",
        "seconds": "0.000",
        "instance_id": "1",
        "class": "dog",
        "score": "0.9000",
        "x1": "3.00",
        "y1": "4.00",
        "x2": "9.00",
        "y2": "10.00",
        "area": "36",
    }


def test_a_class_name_that_is_no_text_is_written(results: VideoResults, tmp_path: Path) -> None:
    results = dataclasses.replace(results, classes=["cat", "\ud83d"])
    write_csv(results, tmp_path / "clip.csv")
    assert ",\\ud83d," in (tmp_path / "clip.csv").read_text("utf-8")
    write_json(results, tmp_path / "clip.json")
    names = [
        entry["name"] for entry in json.loads((tmp_path / "clip.json").read_text())["categories"]
    ]
    assert names == results.classes


def test_pictures_hold_ids_and_the_better_lies_on_top(
    results: VideoResults, tmp_path: Path
) -> None:
    from PIL import Image

    (tmp_path / "ids").mkdir()
    (tmp_path / "ids" / "of_before.png").write_text("")
    write_pngs(results, tmp_path / "ids")
    files = sorted((tmp_path / "ids").iterdir())
    assert [file.name for file in files] == [f"0000{number}.png" for number in range(5)]
    masks = masks_of_frames()
    for number, file in enumerate(files):
        expected = np.zeros(SIZE, int)
        expected[masks[0, number]] = 5
        expected[masks[1, number]] = 1
        with Image.open(file) as picture:
            assert picture.mode == "P"
            assert np.array_equal(np.asarray(picture), expected)


def test_pictures_of_many_ids_have_16_bits(results: VideoResults, tmp_path: Path) -> None:
    far = part_of(masks_of_frames()[:1, :1].repeat(3, 0))
    results.store.add(EncodedFrames(torch.tensor([2, 3, 601]), *list(vars(far).values())[1:]))
    many = SequenceScores(torch.tensor([601]), torch.tensor([0.5]), torch.tensor([0]))
    write_pngs(replace(results, sequences=many), tmp_path / "ids")
    picture = cv2.imread(str(tmp_path / "ids" / "00005.png"), cv2.IMREAD_UNCHANGED)
    assert picture.dtype == np.uint16
    assert set(np.unique(picture).tolist()) == {0, 601}


def test_overlay_has_every_frame(results: VideoResults, tmp_path: Path) -> None:
    frames = np.full((5, *SIZE, 3), 128, np.uint8)
    with OverlayWriter(tmp_path / "overlay.mp4", fps=25) as writer:
        for number, image in enumerate(frames):
            writer.add(image, results.frame(number))
    capture = cv2.VideoCapture(str(tmp_path / "overlay.mp4"))
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == 5
    assert capture.get(cv2.CAP_PROP_FPS) == 25


def test_a_failure_leaves_nothing_under_the_final_name(
    results: VideoResults, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: ResultStore, number: int):
        raise OSError("disk full")

    monkeypatch.setattr(ResultStore, "frame", broken)
    monkeypatch.setattr(ResultStore, "sequence", broken)
    for write, name in ((write_json, "a.json"), (write_csv, "a.csv"), (write_pngs, "a")):
        with pytest.raises(OSError, match="disk full"):
            write(results, tmp_path / "out" / name)
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
