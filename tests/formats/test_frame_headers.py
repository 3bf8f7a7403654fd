import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from mmttsrn.errors import UserInputError
from mmttsrn.formats import frame_headers
from mmttsrn.formats.frame_headers import FrameFile, frame_problem, wrong_frames
from mmttsrn.formats.frames import read_frame

HEIGHT, WIDTH = 24, 36


@pytest.fixture
def write(tmp_path: Path):
    def run(name: str, width: int = WIDTH, height: int = HEIGHT, orientation: int = 1, **how):
        exif = Image.Exif()
        exif[0x0112] = orientation
        path = tmp_path / name
        Image.effect_noise((width, height), 80).convert("RGB").save(path, exif=exif, **how)
        return path

    return run


def problem_of(path: Path, height: int = HEIGHT, width: int = WIDTH) -> str | None:
    return frame_problem(FrameFile(str(path), height, width))


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.bmp", "a.tiff", "a.ppm", "a.gif"])
def test_images_of_the_size_of_the_json_are_right_without_decoding(write, name, monkeypatch):
    path = write(name)
    monkeypatch.setattr(frame_headers, "read_frame", None)
    assert problem_of(path) is None
    assert problem_of(path, 9, WIDTH) == (
        f"{path}: expected the height and width (9, {WIDTH}) of its annotation file, "
        f"got ({HEIGHT}, {WIDTH})"
    )


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_what_only_opencv_reads_is_right(tmp_path):
    path = tmp_path / "a.jpg"
    good = cv2.imencode(".jpg", np.zeros((HEIGHT, WIDTH, 3), np.uint8))[1].tobytes()
    broken_exif = b"Exif\0\0II*\0\xff\xff\xff\xff"
    length = (len(broken_exif) + 2).to_bytes(2, "big")
    path.write_bytes(good[:2] + b"\xff\xe1" + length + broken_exif + good[2:])
    assert problem_of(path) is None
    path.write_bytes(good + bytes(9000))
    assert problem_of(path) is None


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda good: b"", "cannot be decoded"),
        (lambda good: b"text", "cannot be decoded"),
        (lambda good: good[:30], "is cut off"),
        (lambda good: good[:-2], "is cut off"),
        (lambda good: good[: len(good) // 2] + bytes(500), "is cut off"),
    ],
)
def test_broken_images_are_wrong(write, change, problem):
    path = write("a.jpg")
    path.write_bytes(change(path.read_bytes()))
    assert f"a.jpg: image {problem} (" in problem_of(path)


def test_the_orientation_of_a_png_may_come_after_its_pixels(write):
    """OpenCV finds it there, PIL does not."""
    path = write("a.png", orientation=6)
    content = path.read_bytes()
    start = content.index(b"eXIf") - 4
    end = start + 12 + int.from_bytes(content[start : start + 4], "big")
    last = content.index(b"IEND") - 4
    path.write_bytes(content[:start] + content[end:last] + content[start:end] + content[last:])
    assert problem_of(path, WIDTH, HEIGHT) is None


def test_a_cut_off_png_is_wrong(write):
    path = write("a.png")
    path.write_bytes(path.read_bytes()[:-20])
    assert "a.png: image cannot be decoded" in problem_of(path)


@pytest.mark.parametrize("shape", [(HEIGHT, WIDTH), (HEIGHT, WIDTH, 3)], ids=["grey", "RGB"])
@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_deep_images_are_wrong(tmp_path, shape, suffix):
    cv2.imwrite(str(tmp_path / f"a.{suffix}"), np.full(shape, 4000, np.uint16))
    assert "expected an image of 8 bits a channel" in problem_of(tmp_path / f"a.{suffix}")


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("size", [(WIDTH, HEIGHT), (HEIGHT, WIDTH), (WIDTH, WIDTH)])
@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_turned_images_are_right_where_sizes_tell_what_masks_are_for(
    write, orientation, size, name
):
    path = write(name, *size, orientation)
    width, height = size
    as_read = read_frame(path).shape[:2]
    assert as_read == ((width, height) if orientation > 4 else (height, width))
    upright = problem_of(path, *as_read)
    if orientation == 1 or (orientation > 4 and width != height):
        assert upright is None
    else:
        assert f"EXIF orientation {orientation} turns it, and its size does not tell" in upright
    if width != height:
        turned = problem_of(path, *as_read[::-1])
        says = f", to which EXIF orientation {orientation} turns it; remove the orientation"
        assert (says in turned) == (orientation > 4)
        assert "expected the height and width" in turned


def test_wrong_frames_come_in_their_order(write, tmp_path):
    paths = [write(f"{i}.jpg", WIDTH + (i % 70 == 3)) for i in range(150)]
    found = wrong_frames([FrameFile(str(p), HEIGHT, WIDTH) for p in paths], tmp_path / "memory")
    assert [line.partition(":")[0] for line in found] == [str(paths[i]) for i in (3, 73, 143)]
    assert not (tmp_path / "memory").exists()


def test_frames_are_read_once_until_one_changes(write, tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(frame_headers, "WORTH_REMEMBERING", 0)
    monkeypatch.setattr(
        frame_headers, "frame_problem", lambda frame: calls.append(frame) or frame_problem(frame)
    )
    memory = tmp_path / "cache" / "memory"
    frames = [FrameFile(str(write(f"{i}.jpg")), HEIGHT, WIDTH) for i in range(3)]
    for _ in range(2):
        assert wrong_frames(frames, memory) == []
        assert len(calls) == 3
    assert len(wrong_frames([frames[0]._replace(height=9)], memory)) == 1
    stat = os.stat(frames[1].path)
    write("1.jpg", HEIGHT, WIDTH)
    os.utime(frames[1].path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    assert len(wrong_frames(frames, memory)) == 1


def test_a_cache_that_cannot_be_written_stops_nothing(write, tmp_path, monkeypatch):
    monkeypatch.setattr(frame_headers, "WORTH_REMEMBERING", 0)
    (tmp_path / "file").touch()
    lines = []
    monkeypatch.setattr(frame_headers, "print_log", lambda line, logger: lines.append(line))
    frame = FrameFile(str(write("a.jpg")), HEIGHT, WIDTH)
    assert wrong_frames([frame], tmp_path / "file" / "memory") == []
    assert "file: " in lines[-1]
    assert lines[-1].endswith("the next run will check them again")


def test_missing_files_are_named(tmp_path):
    (tmp_path / "a.jpg").symlink_to(tmp_path / "nowhere")
    with pytest.raises(UserInputError, match=r"a\.jpg: No such file"):
        wrong_frames([FrameFile(str(tmp_path / "a.jpg"), 1, 1)], tmp_path / "memory")
