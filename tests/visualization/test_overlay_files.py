import numpy as np
import pytest

from mmttsrn.visualization.overlay_files import write_overlays


def _frames(count=3, error=None):
    for frame in range(count):
        yield f"a/{frame:05d}.png", np.full((64, 64, 3), 40 * frame, np.uint8)
    if error is not None:
        raise error


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
    paths = write_overlays(tmp_path, "b/a", _frames(2), output_format)
    assert paths == [tmp_path / name for name in written]
    assert _files(tmp_path) == files


def test_frames_are_written_as_they_are_drawn(tmp_path):
    seen = []
    frames = ((name, seen.append(len(_files(tmp_path))) or frame) for name, frame in _frames())
    write_overlays(tmp_path, "a", frames, "jpg")
    assert seen == [0, 1, 2]


def test_a_frame_that_fails_leaves_no_video(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        write_overlays(tmp_path, "a", _frames(error=KeyboardInterrupt()), "mp4")
    assert _files(tmp_path) == []
