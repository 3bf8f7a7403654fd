"""Images and videos that are broken."""

import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from commands import run_command
from faults import PATHS, refused
from good_inputs import FRAMES, HEIGHT, RELEASE, WIDTH, GoodInputs

from mmttsrn.datasets.transforms.loading import LoadVideoFrame
from mmttsrn.formats.frames import read_frame
from mmttsrn.formats.videos import open_source


def encoded(suffix: str, *shape: int, kind: type = np.uint8) -> bytes:
    """Bytes of an image file of random numbers."""
    noise = np.random.default_rng(0).integers(0, np.iinfo(kind).max, shape).astype(kind)
    return cv2.imencode(suffix, noise)[1].tobytes()


def load_for_training(path: Path) -> np.ndarray:
    """Read a frame as the pipelines of data sets do."""
    frame = dict(img_path=str(path), height=HEIGHT, width=WIDTH)
    return LoadVideoFrame().transform(frame)["img"]


READERS = {"drawing": read_frame, "data set": load_for_training}
BROKEN_IMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda good: b"",
    "text": lambda good: b"this is no image\n",
    "zeros": lambda good: bytes(5000),
    "start of an image only": lambda good: good[:30],
    "cut off in the middle": lambda good: good[: len(good) // 2],
    "cut off, and zeros": lambda good: good[: len(good) // 2] + bytes(9000),
    "zip": lambda good: b"PK\x03\x04" + bytes(200),
}
OTHER_SIZES = {
    "wider": encoded(".jpg", HEIGHT, 99, 3),
    "1 pixel": encoded(".png", 1, 1, 3),
    "turned": encoded(".jpg", WIDTH, HEIGHT, 3),
}
DEEP_IMAGES = {
    "PNG of 16 bit": encoded(".png", HEIGHT, WIDTH, 3, kind=np.uint16),
    "grey PNG of 16 bit": encoded(".png", HEIGHT, WIDTH, kind=np.uint16),
    "TIFF of 16 bit": encoded(".tiff", HEIGHT, WIDTH, 3, kind=np.uint16),
}
ODD_IMAGES = {
    "grey": encoded(".jpg", HEIGHT, WIDTH),
    "PNG named jpg": encoded(".png", HEIGHT, WIDTH, 3),
    "PNG with alpha": encoded(".png", HEIGHT, WIDTH, 4),
    "JPEG and data of a phone": encoded(".jpg", HEIGHT, WIDTH, 3) + b"SEFH" + bytes(9000) + b"SEFT",
}


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
@pytest.mark.parametrize("change", BROKEN_IMAGES.values(), ids=BROKEN_IMAGES)
def test_broken_images(tmp_path: Path, change: Callable, read: Callable) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(change(encoded(".jpg", HEIGHT, WIDTH, 3)))
    with refused("a.jpg"):
        read(path)


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
@pytest.mark.parametrize("place", PATHS.values(), ids=PATHS)
def test_paths_of_no_image(tmp_path: Path, place: Callable, read: Callable) -> None:
    path = place(tmp_path, "a.jpg")
    with refused(path.name):
        read(path)


@pytest.mark.parametrize("content", OTHER_SIZES.values(), ids=OTHER_SIZES)
def test_images_of_another_size(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.jpg").write_bytes(content)
    with refused("a.jpg"):
        load_for_training(tmp_path / "a.jpg")


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
@pytest.mark.parametrize("content", DEEP_IMAGES.values(), ids=DEEP_IMAGES)
def test_deep_images(tmp_path: Path, content: bytes, read: Callable) -> None:
    (tmp_path / "a.jpg").write_bytes(content)
    with refused("a.jpg", "8", "bits"):
        read(tmp_path / "a.jpg")


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
@pytest.mark.parametrize("content", ODD_IMAGES.values(), ids=ODD_IMAGES)
def test_odd_images_are_accepted(tmp_path: Path, content: bytes, read: Callable) -> None:
    (tmp_path / "a.jpg").write_bytes(content)
    frame = read(tmp_path / "a.jpg")
    assert (frame.shape, frame.dtype) == ((HEIGHT, WIDTH, 3), np.uint8)


BROKEN_VIDEOS: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda good: b"",
    "text": lambda good: b"this is no video\n",
    "zeros": lambda good: bytes(50_000),
    "cut off in the middle": lambda good: good[: len(good) // 2],
    "last 100 bytes cut off": lambda good: good[:-100],
}


@pytest.mark.parametrize("name", ["a.mp4", "a.jpg"])
@pytest.mark.parametrize("change", BROKEN_VIDEOS.values(), ids=BROKEN_VIDEOS)
def test_broken_videos(good: GoodInputs, tmp_path: Path, change: Callable, name: str) -> None:
    """Decoders have crashed on such files: a process of its own reads them."""
    (tmp_path / name).write_bytes(change(good.video.read_bytes()))
    words = ("--model", RELEASE, "--device", "cpu", "--out", "out/found")
    run_command("inference.py", name, *words, folder=tmp_path).check_refused(name)


def test_sources_that_are_none(tmp_path: Path) -> None:
    places = [place(tmp_path, "a.mp4") for place in PATHS.values()]
    for source in [*places, tmp_path / "*.jpg", "99", "http://127.0.0.1:9/a.mp4", "abc://x/a.mp4"]:
        with refused(Path(source).name):
            list(open_source(source))


def test_folders_of_frames(good: GoodInputs, tmp_path: Path) -> None:
    folder = tmp_path / "frames"
    shutil.copytree(next(good.images.iterdir()), folder)
    (folder / "notes.txt").write_text("text")
    assert len(list(open_source(folder))) == FRAMES
    (folder / "00001.jpg").write_bytes(b"")
    assert len(list(open_source(folder))) == FRAMES - 1  # it is skipped, and counted
    (folder / "00002.jpg").write_bytes(encoded(".jpg", 50, 70, 3))
    with refused("frames", 1):
        list(open_source(folder))
    for path in folder.glob("*.jpg"):
        path.write_bytes(b"this is no image")
    with refused("frames"):
        list(open_source(folder))
