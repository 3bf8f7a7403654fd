"""Videos in, files out: what the command does not reach."""

import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from made_videos import packet_times, write_video

from mmttsrn.apis import VISInferencer, video_files
from mmttsrn.apis.video_files import predict_to_files, result_paths
from mmttsrn.errors import UserInputError
from mmttsrn.formats.videos import FrameSource
from mmttsrn.visualization.video_io import Mp4Writer


@pytest.fixture(scope="module")
def inferencer() -> VISInferencer:
    return VISInferencer("ttsrn-m2f_tiny_shapes", device="cpu", score_thr=0.0)


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """A video of 24 frames."""
    path = tmp_path / "in" / "video.mp4"
    with Mp4Writer(path, 30.0) as writer:
        for number in range(24):
            frame = np.full((64, 96, 3), 60, np.uint8)
            cv2.circle(frame, (10 + 3 * number, 30), 12, (220, 40, 30), -1)
            writer.write(frame)
    return path


KILLED = """
import os, signal, sys
from mmttsrn.apis import VISInferencer, video_files
video_files.SAVE_SECONDS = 0.0
def on_frame(results, source):
    if results.index == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
settings = dict(device="cpu", score_thr=0.0, **eval(sys.argv[4]))
inferencer = VISInferencer("ttsrn-m2f_tiny_shapes", **settings)
paths = video_files.result_paths(video_files.Path(sys.argv[2]), ["json", "csv"])
video_files.predict_to_files(inferencer, sys.argv[1], paths, on_frame=on_frame)
"""


@pytest.mark.parametrize(
    ("killed_at", "settings", "goes_on"),
    [
        (13, {}, True),
        (2, dict(latency=0), True),
        (1, {}, False),  # before the first save
    ],
)
def test_a_killed_run_goes_on(killed_at: int, settings, goes_on, video, tmp_path) -> None:
    command = [sys.executable, "-c", KILLED, str(video), str(tmp_path / "out"), str(killed_at)]
    done = subprocess.run([*command, repr(settings)], capture_output=True, timeout=100)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    left = {path.name for path in tmp_path.iterdir() if path.name.startswith(".")}
    assert left
    assert all(name.startswith(".out.json.results.partial") for name in left)
    inferencer = VISInferencer("ttsrn-m2f_tiny_shapes", device="cpu", score_thr=0.0, **settings)
    seen: list[int] = []

    def note(results, source):
        seen.append(results.index)

    for stem, resume in (("out", True), ("whole", False)):
        paths = result_paths(tmp_path / stem, ["json", "csv"])
        predict_to_files(inferencer, str(video), paths, on_frame=note, resume=resume)
    resumed, whole = seen[: seen.index(23) + 1], seen[seen.index(23) + 1 :]
    assert whole == list(range(24))
    assert resumed == list(range(resumed[0], 24))
    assert (resumed[0] > 0) == goes_on
    for kind in ("json", "csv"):
        one, other = (tmp_path / f"{stem}.{kind}" for stem in ("out", "whole"))
        assert one.read_text() == other.read_text()
    assert len(list(tmp_path.iterdir())) == 5  # and no other file is left


@pytest.mark.parametrize("change", ["settings", "video", "broken state", "no resume"])
def test_what_belongs_to_another_run_is_dropped(
    change: str, video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video_files, "SAVE_SECONDS", 0.0)
    inferencer = VISInferencer("ttsrn-m2f_tiny_shapes", device="cpu", score_thr=0.0)
    paths = result_paths(tmp_path / "out", ["csv"])

    def fail(results, source):
        if results.index == 13:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict_to_files(inferencer, str(video), paths, on_frame=fail)
    (state,) = tmp_path.glob(".*.state")
    if change == "settings":
        inferencer = VISInferencer(inferencer.model, device="cpu", score_thr=0.0, window=3)
    elif change == "video":
        os.utime(video, (0, 0))
    elif change == "broken state":
        state.write_bytes(state.read_bytes()[:1000])
    seen: list[int] = []
    predict_to_files(
        inferencer,
        str(video),
        paths,
        on_frame=lambda results, source: seen.append(results.index),
        resume=change != "no resume",
    )
    assert seen == list(range(24))
    assert {path.name for path in tmp_path.iterdir()} == {"in", "out.csv"}


def camera(num_frames: int, interrupted_at: int) -> Iterator[np.ndarray]:
    """A camera; Ctrl-C comes after some frame, and only sometimes while it is read."""
    for number in range(num_frames):
        if number == interrupted_at:
            os.kill(os.getpid(), signal.SIGINT)
        yield np.full((64, 96, 3), 20 * number, np.uint8)


def test_ctrl_c_is_the_end_of_a_camera(inferencer: VISInferencer, tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT)
    source = FrameSource("camera 0", is_live=True, reader=camera(9, interrupted_at=5))
    paths = result_paths(tmp_path / "live", ["mp4", "csv"])
    summary = predict_to_files(inferencer, source, paths)
    assert summary.num_frames == 5
    assert sorted(path.name for path in tmp_path.iterdir()) == ["live.csv", "live.mp4"]
    assert cv2.VideoCapture(str(paths["mp4"])).get(cv2.CAP_PROP_FRAME_COUNT) == 5
    with paths["csv"].open() as file:
        assert {int(row["frame"]) for row in csv.DictReader(file)} <= set(range(5))
    assert signal.getsignal(signal.SIGINT) is before


def test_a_second_ctrl_c_interrupts(inferencer: VISInferencer, tmp_path: Path) -> None:
    def twice() -> Iterator[np.ndarray]:
        yield np.zeros((64, 96, 3), np.uint8)
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        yield np.zeros((64, 96, 3), np.uint8)

    source = FrameSource("camera 0", is_live=True, reader=twice())
    with pytest.raises(KeyboardInterrupt):
        predict_to_files(inferencer, source, result_paths(tmp_path / "live", ["csv"]))
    assert not list(tmp_path.iterdir())


def test_a_page_of_a_camera_is_refused(inferencer: VISInferencer, tmp_path: Path) -> None:
    source = FrameSource("camera 0", is_live=True, reader=camera(3, interrupted_at=9))
    with pytest.raises(UserInputError, match="camera 0: a page needs a video file"):
        predict_to_files(inferencer, source, result_paths(tmp_path / "live", ["html"]))


@pytest.mark.parametrize("broken", ["json", "mp4"])
def test_a_file_that_fails_takes_no_other_along(
    inferencer: VISInferencer, video: Path, tmp_path: Path, broken: str
) -> None:
    """A folder is in the place of one file."""
    paths = result_paths(tmp_path / "out", ["mp4", "json", "csv", "html"])
    (paths[broken] / "in the way").mkdir(parents=True)
    with pytest.raises(IsADirectoryError) as caught:
        predict_to_files(inferencer, str(video), paths)
    assert caught.value.filename == str(paths[broken]) or broken in str(caught.value)
    others = {f"out.{kind}" for kind in paths if kind != broken}
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == others


def test_every_file_that_fails_is_told(
    inferencer: VISInferencer, video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(video_files, "print_log", lambda text, *_: told.append(text))
    paths = result_paths(tmp_path / "out", ["json", "csv"])
    for path in paths.values():
        (path / "in the way").mkdir(parents=True)
    with pytest.raises(IsADirectoryError, match=r"out\.json"):
        predict_to_files(inferencer, str(video), paths)
    assert told == [f"{paths['csv']}: Is a directory"]


def test_times_and_sound_of_a_video_go_into_its_results(
    inferencer: VISInferencer, tmp_path: Path
) -> None:
    times = [0, 0.04, 0.3, 0.31, 1.0, 1.02]
    frames = np.full((6, 64, 96, 3), 60, np.uint8)
    frames[:, 20:40, 20:40] = (220, 40, 30)
    video = write_video(tmp_path / "in.mp4", frames, seconds=times, sound=0.5)
    paths = result_paths(tmp_path / "out", ["mp4", "json", "csv"])
    predict_to_files(inferencer, str(video), paths)
    assert packet_times(paths["mp4"]) == pytest.approx(times, abs=1e-3)
    assert packet_times(paths["mp4"], "audio")
    (entry,) = json.loads(paths["json"].read_text())["videos"]
    assert entry["seconds"] == pytest.approx(times, abs=1e-3)
    assert entry["fps"] == pytest.approx(5 / 1.02, rel=1e-3)
    with paths["csv"].open() as file:
        seconds = {float(row["seconds"]) for row in csv.DictReader(file)}
    assert seconds
    assert all(any(abs(value - time) < 2e-3 for time in times) for value in seconds)


def test_what_is_missing_of_a_cut_off_video_is_said(
    inferencer: VISInferencer, tmp_path: Path
) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (60, 64, 96, 3), np.uint8)
    video = write_video(tmp_path / "in.mkv", noise, "mpeg4")
    video.write_bytes(video.read_bytes()[: video.stat().st_size // 3])
    summary = predict_to_files(inferencer, str(video), result_paths(tmp_path / "out", ["json"]))
    assert 5 < summary.num_frames < 40
    assert "of 2.0 s: it is cut off" in summary.ends_early
