from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from mmttsrn.errors import UserInputError
from mmttsrn.formats.frames import read_frame, split_video_frame

LENGTH = 90


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "frame.jpg"
    noise = np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)
    cv2.imwrite(str(path), noise)
    return path


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Each frame has another grey."""
    path = tmp_path / "clip.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 25.0, (64, 48))
    for t in range(LENGTH):
        writer.write(np.full((48, 64, 3), 20 + 2 * t, np.uint8))
    writer.release()
    return path


def test_an_image_is_rgb(image: Path) -> None:
    assert np.array_equal(read_frame(image), cv2.imread(str(image))[..., ::-1])
    assert read_frame(str(image)).shape == (40, 60, 3)


@pytest.mark.parametrize("tail", [b"\0", bytes(70_000), b"SEFH" + bytes(9000) + b"SEFT"])
def test_bytes_after_a_picture_do_not_matter(image: Path, tail: bytes) -> None:
    frame, content = read_frame(image), image.read_bytes()
    image.write_bytes(content + tail)
    assert np.array_equal(read_frame(image), frame)
    image.write_bytes(content[: len(content) // 2] + tail)
    with pytest.raises(UserInputError, match=r"frame\.jpg: image is cut off"):
        read_frame(image)


@pytest.mark.parametrize("suffix", ["png", "tiff", "pgm"])
def test_deep_images_are_refused(tmp_path: Path, suffix: str) -> None:
    """Their upper 8 bits would be black, where 12 bits of 16 are used."""
    path = tmp_path / f"a.{suffix}"
    cv2.imwrite(str(path), np.full((8, 9), 4000, np.uint16))
    with pytest.raises(UserInputError, match=rf"a\.{suffix}: expected an image of 8 bits a cha"):
        read_frame(path)


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGB", "RGBA"])
def test_images_of_up_to_8_bits_are_read_as_ever(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "a.png"
    Image.effect_noise((60, 40), 80).convert("RGB").convert(mode).save(path)
    assert np.array_equal(read_frame(path), cv2.imread(str(path))[..., ::-1])


def test_frames_of_a_video_are_those_of_reading_it_from_the_start(video: Path) -> None:
    capture = cv2.VideoCapture(str(video))
    expected = [capture.read()[1][..., ::-1] for _ in range(LENGTH)]
    assert len({int(frame[0, 0, 0]) for frame in expected}) > LENGTH // 2
    order = [0, 1, 2, 2, 80, 79, 78, 3, 4, *np.random.default_rng(0).permutation(LENGTH).tolist()]
    for index in order:
        assert np.array_equal(read_frame(video / f"{index:05d}"), expected[index]), index
    with pytest.raises(UserInputError, match=rf"{video.name}/00090: the video has no such frame"):
        read_frame(video / "00090")
    assert np.array_equal(read_frame(video / "00005"), expected[5])


def test_paths_of_frames_in_videos(image: Path) -> None:
    assert split_video_frame(image / "00012") == (str(image), 12)
    assert split_video_frame(image) is None
    assert split_video_frame(image.with_name("none.mp4") / "00012") is None
    assert split_video_frame(image / "12.jpg") is None
    with pytest.raises(UserInputError, match=r"frame\.jpg: cannot be opened as a video: it hol"):
        read_frame(image / "00012")
