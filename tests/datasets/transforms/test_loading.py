from pathlib import Path

import cv2
import numpy as np
import pytest

from mmttsrn.datasets.transforms import LoadVideoFrame
from mmttsrn.errors import UserInputError


@pytest.fixture
def frame(tmp_path: Path) -> Path:
    path = tmp_path / "frame.jpg"
    noise = np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)
    cv2.imwrite(str(path), noise)
    return path


def test_loads_bgr_and_records_the_shape(frame: Path) -> None:
    results = LoadVideoFrame()({"img_path": str(frame), "height": 40, "width": 60})
    assert np.array_equal(results["img"], cv2.imread(str(frame)))
    assert results["img_shape"] == results["ori_shape"] == (40, 60)


def test_a_cut_off_image_is_refused(frame: Path) -> None:
    frame.write_bytes(frame.read_bytes()[:-2])
    with pytest.raises(UserInputError, match=r"frame\.jpg: image is cut off"):
        LoadVideoFrame()({"img_path": str(frame)})


def test_an_image_of_another_size_than_the_json(frame: Path) -> None:
    with pytest.raises(UserInputError, match=r"\(48, 64\) of its .* got \(40, 60\)"):
        LoadVideoFrame()({"img_path": str(frame), "height": 48, "width": 64})
