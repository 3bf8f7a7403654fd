"""Whatever holds a video gives the same frames, or one clear line."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from mmttsrn.errors import UserInputError
from mmttsrn.formats.frames import read_frame
from mmttsrn.formats.videos import FrameSource, open_source
from mmttsrn.visualization.video_io import Mp4Writer, write_frame


def moving_bar(num_frames: int = 6, size: tuple[int, int] = (48, 64)) -> np.ndarray:
    """Frames (T, H, W, 3) RGB: a red bar on blue, that moves right."""
    frames = np.zeros((num_frames, *size, 3), np.uint8)
    frames[..., 2] = 200
    for number, frame in enumerate(frames):
        frame[:, 8 * number : 8 * number + 8] = (220, 0, 0)
    return frames


@pytest.fixture
def mp4(tmp_path: Path) -> Path:
    path = tmp_path / "bar.mp4"
    with Mp4Writer(path, fps=12) as writer:
        for frame in moving_bar():
            writer.write(frame)
    return path


def read(source: object) -> np.ndarray:
    return np.stack(list(open_source(source)))


def test_a_video_file_gives_its_frames(mp4: Path) -> None:
    source = open_source(mp4)
    assert (source.fps, source.num_frames, source.is_live) == (12, 6, False)
    frames = np.stack(list(source))
    assert frames.shape == (6, 48, 64, 3)
    assert np.abs(frames.astype(int) - moving_bar()).mean() < 12  # mp4 loses some
    assert source.unreadable == 0


def test_a_folder_is_read_in_the_order_of_its_numbers(tmp_path: Path) -> None:
    for number, frame in enumerate(moving_bar(12)):
        write_frame(tmp_path / f"frame_{number}.png", frame)
    (tmp_path / "notes.txt").write_text("no frame")
    for source in (tmp_path, str(tmp_path), f"{tmp_path}/frame_*.png"):
        assert np.array_equal(read(source), moving_bar(12))
        assert open_source(source).num_frames == 12


@pytest.mark.parametrize("kind", ["array", "list", "tensor", "iterator"])
def test_arrays_and_iterators_are_frames(kind: str) -> None:
    frames = moving_bar()
    source = {
        "array": frames,
        "list": list(frames),
        "tensor": torch.from_numpy(frames),
        "iterator": iter(frames),
    }[kind]
    opened = open_source(source)
    assert opened.is_live == (kind == "iterator")
    assert np.array_equal(np.stack(list(opened)), frames)


def test_grey_frames_and_frames_with_transparency_become_rgb() -> None:
    grey = moving_bar()[..., 0]
    for frames in (grey, grey[..., None]):
        assert np.array_equal(read(frames), np.repeat(grey[..., None], 3, -1))
    clear = np.concatenate([moving_bar(), np.zeros((6, 48, 64, 1), np.uint8)], -1)
    assert np.array_equal(read(clear), moving_bar())


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "is an empty file"), (b"no video" * 100, "cannot be opened as a video: invalid data")],
)
def test_a_file_that_is_no_video_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "broken.mp4"
    path.write_bytes(content)
    with pytest.raises(UserInputError, match=f"{path}: {message}"):
        read(path)


def test_an_mp4_without_its_end_is_refused(mp4: Path) -> None:
    mp4.write_bytes(mp4.read_bytes()[:600])
    with pytest.raises(UserInputError, match="cut off"):
        read(mp4)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("nowhere.mp4", "nowhere.mp4: no such file or folder"),
        ("frames/*.jpg", "no file matches this pattern"),
        ("http://127.0.0.1:9/none.mp4", "check address, permissions and network"),
        (97, "camera 97: OpenCV cannot open it; check number"),
        ([], "got an empty video"),
        (np.zeros((4, 6, 3), np.uint8), r"got one picture \(4, 6, 3\); give source\[None\]"),
        (torch.zeros((4, 6, 4), dtype=torch.uint8), r"got one picture \(4, 6, 4\)"),
        ("caf\udce9.mp4", r"caf\\udce9\.mp4: this name is not UTF-8; rename it"),
        (3.5, "got a float"),
    ],
)
def test_what_is_no_video_is_refused(source: object, message: str) -> None:
    with pytest.raises(UserInputError, match=message.replace("*", r"\*")):
        read(source)


def test_parts_of_a_pattern_that_exist_are_literal(tmp_path: Path) -> None:
    for folder in ("[1080p] x/frames", "1 x/frames"):
        for number, frame in enumerate(moving_bar(len(folder))):
            write_frame(tmp_path / folder / f"{number}.png", frame)
    assert len(read(f"{tmp_path}/[1080p] x/frames/*.png")) == len("[1080p] x/frames")
    assert len(read(f"{tmp_path}/[1-9] x/frames/?.png")) == len("1 x/frames")


def test_hidden_files_of_a_folder_are_no_frames(tmp_path: Path) -> None:
    write_frame(tmp_path / "a.png", moving_bar(1)[0])
    (tmp_path / "._a.png").write_bytes(b"\0\5\x16\7")
    source = open_source(tmp_path)
    assert (len(list(source)), source.unreadable) == (1, 0)


def test_a_name_that_is_no_utf_8_is_refused(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(UserInputError, match=r"caf\\udce9\.png: this name is not UTF-8"):
        open_source(tmp_path)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserInputError, match="no images"):
        open_source(tmp_path)


def test_images_that_cannot_be_read_are_counted_or_refused(tmp_path: Path) -> None:
    """One holds no image, and a cut-off JPEG would be grey in its missing part."""
    for number, frame in enumerate(moving_bar(4)):
        write_frame(tmp_path / f"{number}.jpg", frame)
    whole = (tmp_path / "2.jpg").read_bytes()
    (tmp_path / "1.jpg").write_bytes(b"nothing")
    (tmp_path / "2.jpg").write_bytes(whole[: len(whole) // 2])
    source = open_source(tmp_path)
    assert len(list(source)) == 2
    assert source.unreadable == 2
    assert source.file_names(2) == [f"{tmp_path.name}/0.jpg", f"{tmp_path.name}/3.jpg"]
    with pytest.raises(UserInputError, match=r"1\.jpg: image cannot be decoded"):
        list(open_source(tmp_path, broken="refuse"))
    (tmp_path / "1.jpg").unlink()
    with pytest.raises(UserInputError, match=r"2\.jpg: image is cut off"):
        list(open_source(tmp_path, broken="refuse"))
    for number in (0, 3):
        (tmp_path / f"{number}.jpg").write_bytes(b"nothing")
    with pytest.raises(UserInputError, match=r"no frame can be read; .*3\.jpg"):
        read(tmp_path)


def test_names_of_frames_are_those_that_readers_take(mp4: Path) -> None:
    source = open_source(mp4)
    frames = list(source)
    names = source.file_names(len(frames))
    assert names[3] == "bar.mp4/00003"
    for name, frame in zip(names, frames, strict=True):
        assert np.array_equal(read_frame(mp4.parent / name), frame)
    assert open_source(iter(frames)).file_names(3) is None


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        (
            [np.zeros((4, 6, 3), np.uint8), np.zeros((6, 4, 3), np.uint8)],
            r"frame 1: expected height and width \(4, 6\)",
        ),
        ([np.zeros((4, 6, 3), np.float32)], "frame 0: is of type float32, expected uint8"),
        ([np.zeros((4, 6, 2), np.uint8)], r"frame 0: has shape \(4, 6, 2\)"),
        ([np.zeros((0, 6, 3), np.uint8)], r"frame 0: has shape \(0, 6, 3\)"),
    ],
)
def test_frames_of_a_wrong_kind_are_refused(frames: list[np.ndarray], message: str) -> None:
    with pytest.raises(UserInputError, match=message):
        read(frames)


def test_a_source_that_is_open_stays_as_it_is() -> None:
    source = FrameSource("mine", reader=iter(moving_bar()))
    assert open_source(source) is source
