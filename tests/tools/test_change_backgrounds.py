"""Annotated objects before other backgrounds."""

import json

import cv2
import numpy as np
import pytest
from pycocotools import mask as mask_utils

from mmttsrn.datasets.synthetic import write_moving_shapes
from mmttsrn.formats.ground_truth import read_ground_truth

TOOL = "dataset_converters/change_backgrounds.py"


@pytest.fixture
def shapes(tmp_path):
    write_moving_shapes(tmp_path, train_clips=1, val_clips=2, num_frames=3, size=(48, 64))
    return tmp_path


def test_objects_stay_and_the_rest_is_the_image(run_tool, shapes):
    cv2.imwrite(str(shapes / "blue.png"), np.full((30, 90, 3), (255, 0, 0), np.uint8))
    out = shapes / "out"
    words = (shapes / "valid.json", shapes / "valid" / "JPEGImages", shapes / "blue.png")
    assert run_tool(TOOL, *words, "--out", out) == (0, [f"wrote 2 videos to {out}"], [])
    before, after = (
        json.loads(path.read_text()) for path in (shapes / "valid.json", out / "instances.json")
    )
    assert after["annotations"] == before["annotations"]
    truth = read_ground_truth(str(out / "instances.json"), need_frames=True)
    for old, video in zip(before["videos"], truth.videos.values(), strict=True):
        for t, name in enumerate(video.file_names):
            frame = cv2.imread(str(shapes / "valid" / "JPEGImages" / old["file_names"][t]))
            changed = cv2.imread(str(out / "JPEGImages" / name))
            objects = np.zeros(frame.shape[:2], bool)
            for sequence in video.sequences:
                if sequence.counts[t] is not None:
                    size = [video.height, video.width]
                    mask = mask_utils.decode({"size": size, "counts": sequence.counts[t]})
                    objects |= mask.astype(bool)
            assert objects.any()
            np.testing.assert_array_equal(changed[objects], frame[objects])
            assert (changed[~objects] == (255, 0, 0)).all()


def test_what_is_no_image_is_told(run_tool, shapes):
    (shapes / "note.txt").write_text("no image")
    words = (shapes / "valid.json", shapes / "valid" / "JPEGImages", shapes / "note.txt")
    status, _, errors = run_tool(TOOL, *words, "--out", shapes / "out")
    assert status == 2
    path = shapes / "note.txt"
    assert errors == [f"error: {path}: image cannot be decoded (8 bytes); replace the file"]
    assert not (shapes / "out").exists()
