"""Images and videos with a fault."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from broken_inputs.cases import ACCEPTED, EITHER, REFUSED, Case, Fault, Workspace
from broken_inputs.files import PATH_FAULTS
from broken_inputs.good_inputs import FRAMES, HEIGHT, WIDTH

READERS = ("overlay", "report", "test", "train", "demo")


def encoded(image: np.ndarray, suffix: str) -> bytes:
    """Bytes of an image file."""
    return cv2.imencode(suffix, image)[1].tobytes()


def noise(*shape: int, kind: type = np.uint8) -> np.ndarray:
    """Image of random numbers."""
    return np.random.default_rng(0).integers(0, np.iinfo(kind).max, shape).astype(kind)


# Right for all commands; from the bytes of a good image to those of a broken one.
IMAGE_FAULTS: dict[str, tuple[str, Callable[[bytes], bytes | None]]] = {
    "missing": (REFUSED, lambda good: None),
    "empty": (REFUSED, lambda good: b""),
    "text": (REFUSED, lambda good: b"this is no image\n"),
    "zeros": (REFUSED, lambda good: bytes(5000)),
    "start of an image only": (REFUSED, lambda good: good[:30]),
    "cut off in the middle": (EITHER, lambda good: good[: len(good) // 2]),
    "broken in the middle": (EITHER, lambda good: good[:800] + bytes(100) + good[900:]),
    "grey": (ACCEPTED, lambda good: encoded(noise(HEIGHT, WIDTH), ".jpg")),
    "PNG named jpg": (ACCEPTED, lambda good: encoded(noise(HEIGHT, WIDTH, 3), ".png")),
    "PNG with alpha": (ACCEPTED, lambda good: encoded(noise(HEIGHT, WIDTH, 4), ".png")),
    "PNG of 16 bit": (
        EITHER,
        lambda good: encoded(noise(HEIGHT, WIDTH, 3, kind=np.uint16), ".png"),
    ),
    "wider than the json says": (REFUSED, lambda good: encoded(noise(HEIGHT, 99, 3), ".jpg")),
    "of 1 pixel": (REFUSED, lambda good: encoded(noise(1, 1, 3), ".png")),
    "turned": (REFUSED, lambda good: encoded(noise(WIDTH, HEIGHT, 3), ".jpg")),
    "zip": (REFUSED, lambda good: b"PK\x03\x04" + bytes(200)),
}


def image_changed(change: Callable[[bytes], bytes | None]) -> Fault:
    """Fault of the first image of each clip."""

    def fault(work: Workspace) -> dict[str, Any]:
        data = work.inputs / "data"
        shutil.copytree(work.good.data, data)
        for image in data.glob("*/JPEGImages/*/00000.jpg"):
            content = change(image.read_bytes())
            image.unlink()
            if content is not None:
                image.write_bytes(content)
        return with_data(work, data)

    return fault


def with_data(work: Workspace, data: Path) -> dict[str, Any]:
    """Arguments for another data set."""
    if work.command == "demo":
        return {"data": data}
    if work.command == "test":
        return {"extra": ["--cfg-options", f"test_dataloader.dataset.data_root={data}"]}
    if work.command == "train":
        # All frames of both clips, so that the broken one is seen in the one step.
        settings = [
            f"train_dataloader.dataset.data_root={data}",
            f"train_dataloader.dataset.pipeline.0.num_frames={FRAMES}",
            f"model.head.num_frames={FRAMES}",
            "train_dataloader.batch_size=2",
        ]
        return {"extra": ["--cfg-options", *settings]}
    return {"images": data / "valid" / "JPEGImages"}


def video_bytes(change: Callable[[bytes], bytes], name: str = "video.mp4") -> Fault:
    """Fault of the video file."""

    def fault(work: Workspace) -> dict[str, Any]:
        path = work.inputs / name
        path.write_bytes(change(work.good.video.read_bytes()))
        return {"video": path}

    return fault


def frames(**files: bytes) -> Fault:
    """Folder of images as the video, with these files instead of or beside good ones."""

    def fault(work: Workspace) -> dict[str, Any]:
        folder = work.inputs / "frames"
        shutil.copytree(work.good.data / "valid" / "JPEGImages" / "clip_000", folder)
        for name, content in files.items():
            (folder / name.replace("_", ".")).write_bytes(content)
        return {"video": folder}

    return fault


def _all_broken(work: Workspace) -> dict[str, Any]:
    arguments = frames()(work)
    for path in arguments["video"].iterdir():
        path.write_bytes(b"this is no image")
    return arguments


def _list_of(*lines: str) -> Fault:
    def fault(work: Workspace) -> dict[str, Any]:
        path = work.inputs / "videos.txt"
        path.write_text("\n".join(lines).format(video=work.good.video))
        return {"video": path}

    return fault


def _text_names(work: Workspace) -> dict[str, Any]:
    path = work.inputs / "videos.txt"
    path.write_bytes(b"\xff\xfe\x00binary")
    return {"video": path}


VIDEO_FAULTS: dict[str, tuple[str, Fault]] = {
    "empty": (REFUSED, video_bytes(lambda good: b"")),
    "text": (REFUSED, video_bytes(lambda good: b"this is no video\n")),
    "zeros": (REFUSED, video_bytes(lambda good: bytes(50_000))),
    "cut off in the middle": (REFUSED, video_bytes(lambda good: good[: len(good) // 2])),
    "last 100 bytes cut off": (EITHER, video_bytes(lambda good: good[:-100])),
    "first 100 bytes cut off": (REFUSED, video_bytes(lambda good: good[100:])),
    "broken in the middle": (
        EITHER,
        video_bytes(lambda good: good[:1500] + bytes(2000) + good[3500:]),
    ),
    "without suffix": (EITHER, video_bytes(lambda good: good, "video")),
    "named jpg": (REFUSED, video_bytes(lambda good: good, "video.jpg")),
    "odd letters in its name": (EITHER, video_bytes(lambda good: good, "vidéo ;$(x) 'a'.mp4")),
    "number that is no camera": (REFUSED, lambda work: {"video": "99"}),
    "URL without a server": (REFUSED, lambda work: {"video": "http://127.0.0.1:9/a.mp4"}),
    "URL of an unknown kind": (REFUSED, lambda work: {"video": "abc://x/a.mp4"}),
    "pattern of nothing": (REFUSED, lambda work: {"video": work.inputs / "*.jpg"}),
    "folder of good images": (ACCEPTED, frames()),
    "folder with an empty image": (EITHER, frames(**{"00001_jpg": b""})),
    "folder with text beside images": (ACCEPTED, frames(notes_txt=b"text")),
    "folder with an image of another size": (
        REFUSED,
        frames(**{"00001_jpg": encoded(noise(50, 70, 3), ".jpg")}),
    ),
    "folder of broken images": (REFUSED, _all_broken),
    "one image": (
        ACCEPTED,
        lambda work: {"video": work.good.data / "valid" / "JPEGImages" / "clip_000" / "00000.jpg"},
    ),
    "list without lines": (REFUSED, _list_of("", "# nothing")),
    "list of nothing": (REFUSED, _list_of("missing.mp4")),
    "list of a good and a missing video": (EITHER, _list_of("{video}", "missing.mp4")),
    "list with a video twice": (REFUSED, _list_of("{video}", "{video}")),
    "list of binary text": (REFUSED, _text_names),
    "json": (REFUSED, lambda work: {"video": work.good.data / "valid.json"}),
    "checkpoint": (REFUSED, lambda work: {"video": work.good.checkpoint}),
}


def media_cases() -> Iterator[Case]:
    """Cases of broken images and videos."""
    for command in READERS:
        for name, (right, change) in IMAGE_FAULTS.items():
            yield Case(command, f"image: {name}", right, image_changed(change))
    for name, (right, fault) in VIDEO_FAULTS.items():
        yield Case("inference", f"video: {name}", right, fault)
    for name, place in PATH_FAULTS.items():
        yield Case(
            "inference",
            f"video: {name}",
            REFUSED,
            lambda work, place=place: {"video": place(work.inputs)},
        )
