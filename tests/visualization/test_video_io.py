import os

import cv2
import numpy as np
import pytest

from mmttsrn.errors import UserInputError
from mmttsrn.formats.frames import read_frame
from mmttsrn.visualization import video_io
from mmttsrn.visualization.video_io import (
    Mp4Writer,
    add_audio,
    require_mp4_encoder,
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
    """OpenCV leaves out a frame of another size in silence."""
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


def test_missing_encoder_is_one_clear_error(monkeypatch, tmp_path):
    class ClosedWriter:
        fourcc = staticmethod(cv2.VideoWriter.fourcc)

        def __init__(self, *args):
            pass

        def isOpened(self):
            return False

    monkeypatch.setattr(video_io.cv2, "VideoWriter", ClosedWriter)
    with pytest.raises(UserInputError, match="cannot open an mp4"):
        require_mp4_encoder()
    with pytest.raises(UserInputError, match=r"clip\..*cannot open an mp4"):
        _write_clip(tmp_path / "clip.mp4", FRAME)
    assert list(tmp_path.iterdir()) == []


def test_frame_round_trip_keeps_colors(tmp_path):
    frame = np.zeros((32, 48, 3), dtype=np.uint8)
    frame[..., 0] = 200
    write_frame(tmp_path / "a" / "b" / "00000.png", frame)
    assert np.array_equal(read_frame(tmp_path / "a" / "b" / "00000.png"), frame)


def test_sound_is_added_where_ffmpeg_is_installed(tmp_path, monkeypatch):
    """A stand-in for ffmpeg writes what it was called with."""
    video, source = tmp_path / "a.mp4", tmp_path / "b.mp4"
    video.write_text("pictures")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not add_audio(video, source)
    ffmpeg = tmp_path / "ffmpeg"
    ffmpeg.write_text('#!/bin/sh\nfor last; do :; done\necho "$@" > "$last"\n')
    ffmpeg.chmod(0o755)
    assert add_audio(video, source)
    assert f"-i {video} -i {source} -map 0:v:0 -map 1:a?" in video.read_text()


def test_a_failing_ffmpeg_leaves_the_video_as_it_is(tmp_path, monkeypatch):
    video = tmp_path / "a.mp4"
    video.write_text("pictures")
    ffmpeg = tmp_path / "ffmpeg"
    ffmpeg.write_text("#!/bin/sh\nexit 1\n")
    ffmpeg.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not add_audio(video, tmp_path / "b.mp4")
    assert video.read_text() == "pictures"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "ffmpeg"]


def test_an_mp4_that_cannot_be_read_back_is_refused(tmp_path):
    """As on a full disk, of which OpenCV says nothing."""
    path = tmp_path / "clip.mp4"
    with (  # noqa: PT012
        pytest.raises(UserInputError, match="cannot be read back"),
        Mp4Writer(path, fps=6) as mp4,
    ):
        for value in range(9):
            mp4.write(np.full((16, 16, 3), 20 * value, np.uint8))
        release = mp4._writer.release

        def cut_off():
            release()
            (written,) = tmp_path.iterdir()
            written.write_bytes(written.read_bytes()[:-100])

        mp4.callback(cut_off)
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
