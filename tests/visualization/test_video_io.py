import os

import cv2
import numpy as np
import pytest
from made_videos import grey_frames, packet_times, write_video

from mmttsrn.errors import UserInputError
from mmttsrn.formats.frames import read_frame
from mmttsrn.visualization.video_io import (
    Mp4Writer,
    write_frame,
    write_overlays,
)

FRAME = np.zeros((64, 64, 3), dtype=np.uint8)


def _read_back(path):
    capture = cv2.VideoCapture(str(path))
    frames = []
    while True:
        ok, frame = capture.read()
        if not ok:
            return frames, capture.get(cv2.CAP_PROP_FPS)
        frames.append(frame[..., ::-1])


@pytest.mark.parametrize(("height", "width"), [(96, 160), (95, 161)])
def test_mp4_has_all_frames_in_their_size_and_color(tmp_path, height, width):
    path = tmp_path / "new folder" / "clip.mp4"
    with Mp4Writer(path, fps=6) as mp4:
        for value in range(0, 250, 50):
            frame = np.zeros((height, width, 3), dtype=np.uint8)
            frame[..., 0] = value  # red
            mp4.write(frame)
    frames, fps = _read_back(path)
    assert len(frames) == 5
    assert fps == 6
    assert frames[0].shape == (96, width + width % 2, 3)
    assert frames[4][..., 0].mean() > 150 > frames[4][..., 2].mean()
    assert [entry.name for entry in path.parent.iterdir()] == ["clip.mp4"]


def _write_clip(path, *frames, error=None):
    with Mp4Writer(path, fps=6) as mp4:
        for frame in frames:
            mp4.write(frame)
        if error is not None:
            raise error


def test_failed_video_leaves_nothing_behind(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        _write_clip(tmp_path / "clip.mp4", FRAME, error=KeyboardInterrupt())
    assert list(tmp_path.iterdir()) == []


def test_failed_video_keeps_the_earlier_one(tmp_path):
    _write_clip(tmp_path / "clip.mp4", FRAME)
    with pytest.raises(UserInputError, match=r"clip\.mp4: expected frames \(64, 64, 3\)"):
        _write_clip(tmp_path / "clip.mp4", FRAME, FRAME, FRAME[:32])
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]
    assert len(_read_back(tmp_path / "clip.mp4")[0]) == 1


def test_video_is_complete_before_it_takes_its_place(tmp_path, monkeypatch):
    replace, lengths = os.replace, []

    def check(source, target):
        lengths.append(len(_read_back(source)[0]))
        replace(source, target)

    monkeypatch.setattr(os, "replace", check)
    _write_clip(tmp_path / "clip.mp4", FRAME, FRAME)
    assert lengths == [2]


def test_frame_round_trip_keeps_colors(tmp_path):
    frame = np.zeros((32, 48, 3), dtype=np.uint8)
    frame[..., 0] = 200
    write_frame(tmp_path / "a" / "b" / "00000.png", frame)
    assert np.array_equal(read_frame(tmp_path / "a" / "b" / "00000.png"), frame)


@pytest.mark.parametrize("seconds", [0.5, 1.9, 5])
def test_sound_is_copied_and_all_frames_stay(tmp_path, seconds):
    source = write_video(tmp_path / "in.mp4", grey_frames(60), sound=seconds)
    path = tmp_path / "out.mp4"
    with Mp4Writer(path, 30, sound=source) as writer:
        for _ in range(60):
            writer.write(FRAME)
    assert len(packet_times(path)) == 60
    sound = packet_times(path, "audio")
    assert sound == pytest.approx(
        [t for t in packet_times(source, "audio") if 0 <= t < 2], abs=1e-3
    )
    assert sound[-1] == pytest.approx(min(seconds, 2), abs=0.05)


def test_sound_that_mp4_cannot_hold_is_left_out(tmp_path):
    path, codec = tmp_path / "in.avi", "pcm_u8"
    source = write_video(path, grey_frames(6), "mpeg4", sound=0.2, sound_codec=codec)
    assert packet_times(source, "audio")
    with Mp4Writer(tmp_path / "out.mp4", 30, sound=source) as writer:
        writer.write(FRAME)
    assert len(packet_times(tmp_path / "out.mp4")) == 1
    assert packet_times(tmp_path / "out.mp4", "audio") == []


def test_frames_keep_their_times(tmp_path):
    times = [0, 0.04, 0.5, 0.501, 0.501, 4.0]
    with Mp4Writer(tmp_path / "a.mp4", 30) as writer:
        for seconds in times:
            writer.write(FRAME, seconds)
    assert packet_times(tmp_path / "a.mp4") == pytest.approx(times, abs=1e-4)


@pytest.mark.parametrize("fps", [0.5, 1, 23.976, 66.67, 105.611, 239.76, 999.9])
def test_any_frame_rate_is_written(tmp_path, fps):
    with Mp4Writer(tmp_path / "a.mp4", fps) as writer:
        for _ in range(10):
            writer.write(FRAME)
    assert packet_times(tmp_path / "a.mp4")[-1] == pytest.approx(9 / fps, abs=1e-4)


@pytest.mark.parametrize(
    ("height", "width", "written"),
    [(1, 1, (2, 2)), (2, 2, (2, 2)), (64, 16_384, (64, 16_384)), (41, 20_001, (34, 16_384))],
)
def test_any_size_is_written(tmp_path, height, width, written):
    with Mp4Writer(tmp_path / "a.mp4", 30) as writer:
        for _ in range(2):
            writer.write(np.full((height, width, 3), 200, np.uint8))
    frames, _ = _read_back(tmp_path / "a.mp4")
    assert [frame.shape[:2] for frame in frames] == [written] * 2
    assert frames[1].mean() > 180


def test_an_mp4_that_cannot_be_read_back_is_refused(tmp_path, monkeypatch):
    """As where a disk loses what was written."""
    check = Mp4Writer._check

    def cut_off(writer, part):
        part.write_bytes(part.read_bytes()[:-100])
        check(writer, part)

    monkeypatch.setattr(Mp4Writer, "_check", cut_off)
    with pytest.raises(UserInputError, match=r"clip\.mp4: cannot be read back"):
        _write_clip(
            tmp_path / "clip.mp4", *[np.full((64, 64, 3), 20 * i, np.uint8) for i in range(9)]
        )
    assert not list(tmp_path.iterdir())


def _frames(count=3):
    for frame in range(count):
        yield f"a/{frame:05d}.png", np.full((64, 64, 3), 40 * frame, np.uint8)


def _files(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


@pytest.mark.parametrize(
    ("output_format", "written", "files"),
    [
        ("mp4", ["b/a.mp4"], ["b/a.mp4"]),
        ("jpg", ["a"], ["a/00000.jpg", "a/00001.jpg"]),
        ("both", ["b/a.mp4", "a"], ["a/00000.jpg", "a/00001.jpg", "b/a.mp4"]),
    ],
)
def test_what_is_asked_for_is_written(tmp_path, output_format, written, files):
    paths = write_overlays(tmp_path, "b/a", _frames(2), output_format, 6.0)
    assert paths == [tmp_path / name for name in written]
    assert _files(tmp_path) == files


def test_frames_are_written_as_they_are_drawn(tmp_path):
    seen = []
    frames = ((name, seen.append(len(_files(tmp_path))) or frame) for name, frame in _frames())
    write_overlays(tmp_path, "a", frames, "jpg", 6.0)
    assert seen == [0, 1, 2]
