"""The command that predicts videos."""

import csv
import functools
import http.server
import json
import os
import shutil
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmttsrn.datasets.synthetic_scenes import draw_object, render_clip
from mmttsrn.formats.ground_truth import read_ground_truth
from mmttsrn.visualization.video_io import Mp4Writer, write_frame

MODEL = ("--model", "ttsrn-m2f_tiny_shapes", "--device", "cpu")
T = 7


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    rng = np.random.default_rng(5)
    objects = [draw_object(rng, label, T, (96, 160), stays=True) for label in (0, 3)]
    return render_clip(objects, T, (96, 160), rng)[0][..., ::-1]


@pytest.fixture
def videos(tmp_path: Path, frames: np.ndarray) -> Path:
    """A folder of three mp4 of two shapes."""
    for name in ("a", "b", "sub/a"):
        with Mp4Writer(tmp_path / "videos" / f"{name}.mp4", fps=10) as writer:
            for frame in frames:
                writer.write(frame)
    return tmp_path / "videos"


def test_one_video_becomes_all_kinds_of_files(run_tool, videos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    status, lines, _ = run_tool(
        "inference.py", videos / "b.mp4", *MODEL, "--out", out, "--json", "--csv", "--png"
    )
    assert status == 0
    assert sorted(path.name for path in out.iterdir()) == ["b", "b.csv", "b.json", "b.mp4"]
    assert f"{videos / 'b.mp4'}: {T} frames, " in lines[-1]
    capture = cv2.VideoCapture(str(out / "b.mp4"))
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == T
    assert capture.get(cv2.CAP_PROP_FPS) == 10
    assert len(list((out / "b").iterdir())) == T
    (video,) = read_ground_truth(out / "b.json").videos.values()
    assert len(video.sequences) >= 1
    with (out / "b.csv").open() as file:
        ids = {row["instance_id"] for row in csv.DictReader(file)}
    assert len(ids) == len(video.sequences)


def test_results_do_not_depend_on_the_kind_of_source(
    run_tool, frames: np.ndarray, tmp_path: Path
) -> None:
    """A folder, a pattern and a list that names the folder."""
    for number, frame in enumerate(frames):
        write_frame(tmp_path / "frames" / f"{number}.png", frame)
    (tmp_path / "list.txt").write_text(f"# videos\n{tmp_path / 'frames'}\n")
    contents = []
    for number, source in enumerate(("frames", "frames/*.png", "list.txt")):
        out = tmp_path / str(number)
        status, _, _ = run_tool(
            "inference.py", tmp_path / source, *MODEL, "--out", out, "--json", "--no-video"
        )
        assert status == 0
        (path,) = out.iterdir()
        contents.append(json.loads(path.read_text())["annotations"])
    assert contents[0]
    assert contents[0] == contents[1] == contents[2]


def test_a_folder_of_videos_is_searched_and_done_ones_are_left_out(
    run_tool, videos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    arguments = ("inference.py", videos, *MODEL, "--out", out, "--csv", "--no-video")
    assert run_tool(*arguments)[0] == 0
    names = ["b.csv", "sub_a.csv", "videos_a.csv"]
    assert sorted(path.name for path in out.iterdir()) == names
    before = {name: (out / name).read_text() for name in names}
    (out / "b.csv").unlink()
    (out / "sub_a.csv").write_text("kept as it is")
    status, lines, _ = run_tool(*arguments, "--resume")
    assert status == 0
    assert sum("done before" in line for line in lines) == 2
    assert (out / "b.csv").read_text() == before["b.csv"]
    assert (out / "sub_a.csv").read_text() == "kept as it is"


def test_a_broken_video_among_others_is_reported(run_tool, videos: Path, tmp_path: Path) -> None:
    (videos / "broken.mp4").write_bytes(b"nothing")
    out = tmp_path / "out"
    status, _, errors = run_tool("inference.py", videos, *MODEL, "--out", out)
    assert status == 2
    assert any("broken.mp4: cannot be opened as a video" in line for line in errors)
    assert errors[-1] == "error: 1 of 4 videos could not be read, see above"
    assert sorted(path.name for path in out.iterdir()) == ["b.mp4", "sub_a.mp4", "videos_a.mp4"]


def test_the_password_of_a_stream_is_not_printed(
    run_tool, frames: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http.server.SimpleHTTPRequestHandler, "log_message", lambda *_: None)
    path, size = str(tmp_path / "a.avi"), frames.shape[2:0:-1]
    writer = cv2.VideoWriter(path, cv2.VideoWriter.fourcc(*"MJPG"), 10, size)
    for frame in frames:
        writer.write(frame)
    writer.release()
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        host = f"127.0.0.1:{server.server_port}"
        source = f"http://bob:secret@{host}/a.avi?token=abcd"
        arguments = ("inference.py", source, *MODEL, "--out", tmp_path, "--csv", "--no-video")
        runs = [run_tool(*arguments, "--resume") for _ in range(2)]
        server.shutdown()
    runs.append(run_tool(*arguments))
    lines = ["\n".join([*out, *errors]) for _, out, errors in runs]
    assert [status for status, _, _ in runs] == [0, 0, 2]
    shown = f"http://***@{host}/a.avi?token=***: "
    for text, follows in zip(lines, (f"{T} frames", "done before", ""), strict=True):
        assert shown + follows in text
        assert "secret" not in text
        assert "abcd" not in text


def test_only_some_classes_and_good_scores(run_tool, videos: Path, tmp_path: Path) -> None:
    out = tmp_path / "x.mp4"
    options = ("--classes", "square", "star", "--score-thr", "0.2", "--csv")
    assert run_tool("inference.py", videos / "b.mp4", *MODEL, "--out", out, *options)[0] == 0
    assert out.is_file()
    with out.with_suffix(".csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["class"] for row in rows} in ({"square"}, {"star"}, {"square", "star"})
    assert all(float(row["score"]) >= 0.2 for row in rows)


def test_names_as_they_come(run_tool, videos: Path, tmp_path: Path) -> None:
    """One that is no UTF-8 is reported; hidden files and those that are no videos are left out."""
    content = (videos / "a.mp4").read_bytes()
    shutil.rmtree(videos / "sub")
    for path in videos.iterdir():
        path.unlink()
    long = "x" * 240
    for name in (
        b"12:30:05.mp4",
        b"c.mp4",
        b"c.mov",
        b" d .MTS",
        b"caf\xe9.mp4",
        long.encode() + b".mp4",
    ):
        with open(bytes(videos) + b"/" + name, "wb") as file:
            file.write(content)
    (videos / "._c.mp4").write_bytes(bytes(4096))
    (videos / "notes.md").write_text("no video")
    out = tmp_path / "run:12"
    status, lines, errors = run_tool(
        "inference.py", videos, *MODEL, "--out", out, "--csv", "--no-video"
    )
    assert status == 2
    assert any(r"caf\udce9.mp4: this name is not UTF-8; rename it" in line for line in errors)
    assert errors[-1] == "error: 1 of 6 videos could not be read, see above"
    assert f"1 files that are no videos are left out: {videos / 'notes.md'}" in errors[0]
    names = sorted(path.stem for path in out.iterdir())
    assert names[:4] == [" d ", "12_30_05", "c_mov", "c_mp4"]
    assert names[4].startswith("x" * 190)
    assert len(names) == 5
    assert sum(f"{T} frames" in line for line in lines) == 5


@pytest.mark.parametrize("option", ["--out", "--weights"])
def test_names_that_are_no_utf_8_are_refused(run_tool, videos: Path, option: str) -> None:
    name = os.fsdecode(b"caf\xe9")
    status, _, errors = run_tool("inference.py", videos, *MODEL, option, name)
    assert status == 2
    assert r"caf\udce9" in errors[-1]
