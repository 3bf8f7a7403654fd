"""Which videos are named, and what their results are called."""

import os
from pathlib import Path

import pytest
from made_videos import grey_frames, write_video

from mmttsrn.errors import UserInputError
from mmttsrn.formats.video_lists import list_videos, result_stems


def test_folders_of_videos_are_searched_and_others_are_a_video(tmp_path: Path) -> None:
    """Whatever decodes as a video is one, and what only looks so by its name is to be told."""
    for name in ("videos/b.MP4", "videos/sub/a.mov", "videos/readme.md", "frames/1.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    write_video(tmp_path / "videos/c.MTS", grey_frames(30), kind="mpegts")
    write_video(tmp_path / "videos/d", grey_frames(2), "flv1", kind="flv")
    videos, frames = str(tmp_path / "videos"), str(tmp_path / "frames")
    found, left_out = list_videos([videos, frames, "0"])
    names = ["b.MP4", "c.MTS", "d", "sub/a.mov"]
    assert found == [*[f"{videos}/{name}" for name in names], frames, "0"]
    assert left_out == [f"{videos}/readme.md"]


def test_a_preview_among_frames_is_no_video(tmp_path: Path) -> None:
    write_video(tmp_path / "preview.gif", grey_frames(2), "gif")
    for number in range(3):
        (tmp_path / f"{number}.jpg").touch()
    assert list_videos([str(tmp_path)]) == ([str(tmp_path)], [])
    (tmp_path / "a.mp4").touch()
    found, left_out = list_videos([str(tmp_path)])
    assert found == [str(tmp_path / "a.mp4")]
    assert len(left_out) == 4


def test_hidden_files_and_folders_are_no_input(tmp_path: Path) -> None:
    for name in ("._a.mp4", ".cache/b.mp4", ".DS_Store"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(bytes(4096))
    video = write_video(tmp_path / "a.mp4", grey_frames(2))
    assert list_videos([str(tmp_path)]) == ([str(video)], [])
    assert list_videos([str(tmp_path / "._a.mp4")]).videos == [str(tmp_path / "._a.mp4")]


@pytest.mark.parametrize("start", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_list_of_videos_is_read(tmp_path: Path, monkeypatch, start: str, end: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path(" b.mp4 ").touch()
    lines = ["a.mp4", "# no video", "", "  c.mp4", " b.mp4 ", "rtsp://host/x"]
    Path("list.txt").write_bytes((start + end.join(lines)).encode())
    assert list_videos(["list.txt"]).videos == ["a.mp4", "c.mp4", " b.mp4 ", "rtsp://host/x"]


def test_a_list_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "videos.txt"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserInputError, match=r"videos\.txt: UnicodeDecodeError"):
        list_videos([str(path)])
    path.write_text("# none\n")
    with pytest.raises(UserInputError, match=r"videos\.txt: names no video"):
        list_videos([str(path)])


@pytest.mark.parametrize(
    ("videos", "stems"),
    [
        (["x/a.mp4", "y/a.mp4", "b.mp4", "3"], ["x_a", "y_a", "b", "3"]),
        (["x/a.mp4", "x/a.avi"], ["a_mp4", "a_avi"]),
        (["d1/c0/v.mp4", "d2/c0/v.mp4"], ["d1_c0_v", "d2_c0_v"]),
        (["d1/v.mp4", "d1/v.mov", "d2/v.mp4"], ["d1_v_mp4", "d1_v_mov", "d2_v_mp4"]),
        (["x/a.mp4", "y/a.mp4", "x_a.mp4"], ["x_a", "y_a", "x_a_2"]),
        (["a.mp4", "./a.mp4", "A.mp4"], ["a", "a_2", "A_3"]),
        (["x/[1] y/frames/*.png", "*.jpg"], ["frames", "video"]),
        (["/a.mp4", "x/a.mp4"], ["__a", "x_a"]),
        (["rtsp://me:word@host/s/1?key=secret", "http://host/s/2.mp4#t"], ["1", "2"]),
        (["12:30:05.mp4", 'a"b?.mp4', "a\nb.mp4"], ["12_30_05", "a_b_", "a_b"]),
        (["[1080p] é 视频 🎬 אב.mp4"], ["[1080p] é 视频 🎬 אב"]),
    ],
)
def test_results_have_names_of_their_own(videos: list[str], stems: list[str]) -> None:
    assert result_stems(videos) == stems


def test_results_of_the_longest_names_have_room(tmp_path: Path) -> None:
    names = ["x" * 251, "x" * 250 + "y", "é" * 125]
    stems = result_stems([f"{name}.mp4" for name in names])
    assert len(set(stems)) == 3
    for stem in stems:
        assert len(os.fsencode(stem)) <= 200
        (tmp_path / f".{stem}.json.results.partial-wal").touch()
