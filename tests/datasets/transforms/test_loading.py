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


def test_loads_and_records_the_shape(frame: Path) -> None:
    results = LoadVideoFrame()({"img_path": str(frame), "height": 40, "width": 60})
    assert results["img"].shape == (40, 60, 3)
    assert results["img"].dtype == np.uint8
    assert results["img_shape"] == results["ori_shape"] == (40, 60)
    assert LoadVideoFrame("grayscale")({"img_path": str(frame)})["img"].shape == (40, 60)


def test_padding_after_the_jpeg_is_accepted(frame: Path) -> None:
    frame.write_bytes(frame.read_bytes() + b"\0" * 100)
    assert LoadVideoFrame()({"img_path": str(frame)})["img"].shape == (40, 60, 3)


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda content: content[: len(content) // 2], "is cut off"),
        (lambda content: b"", "cannot be decoded (0 bytes)"),
        (lambda content: b"not an image", "cannot be decoded"),
    ],
)
def test_unreadable_images_are_named(frame: Path, damage, problem: str) -> None:
    frame.write_bytes(damage(frame.read_bytes()))
    with pytest.raises(UserInputError) as caught:
        LoadVideoFrame()({"img_path": str(frame)})
    line = str(caught.value)
    assert line.startswith(f"{frame}: image ")
    assert problem in line
    assert "\n" not in line


def test_missing_image(tmp_path: Path) -> None:
    with pytest.raises(UserInputError, match=r"gone\.jpg: image not found"):
        LoadVideoFrame()({"img_path": str(tmp_path / "gone.jpg")})


def test_an_image_of_another_size_than_the_json(frame: Path) -> None:
    with pytest.raises(UserInputError, match=r"image is 60x40 but .* says 64x48"):
        LoadVideoFrame()({"img_path": str(frame), "height": 48, "width": 64})
