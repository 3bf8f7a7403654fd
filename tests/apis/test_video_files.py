"""Videos in, files out: what the command does not reach."""

import csv
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmttsrn.apis import VISInferencer
from mmttsrn.apis.video_files import list_videos, predict_to_files, result_paths, result_stems
from mmttsrn.errors import UserInputError
from mmttsrn.inference.frame_sources import FrameSource


@pytest.fixture(scope="module")
def inferencer() -> VISInferencer:
    return VISInferencer("ttsrn-m2f_tiny_shapes", device="cpu", score_thr=0.0)


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


def test_results_have_names_of_their_own() -> None:
    names = ["x/a.mp4", "y/a.mp4", "b.mp4", "rtsp://host/stream?x=1", "3"]
    assert result_stems(names) == ["x_a", "y_a", "b", "stream_x_1", "3"]
    with pytest.raises(UserInputError, match=r"x/a\.mp4 and x/a\.avi would have the same name"):
        result_stems(["x/a.mp4", "x/a.avi"])


def test_folders_of_videos_are_searched_and_others_are_a_video(tmp_path: Path) -> None:
    for name in ("videos/b.MP4", "videos/sub/a.mov", "videos/readme.md", "frames/1.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    videos, frames = str(tmp_path / "videos"), str(tmp_path / "frames")
    found = list_videos([videos, frames, "0"])
    assert found == [f"{videos}/b.MP4", f"{videos}/sub/a.mov", frames, "0"]
