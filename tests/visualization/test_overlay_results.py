import importlib.util
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmttsrn.visualization.colors import instance_color

TOOL = Path(__file__).parents[2] / "tools" / "visualization" / "overlay_results.py"


@pytest.fixture
def overlay(vis_files, capsys):
    """Runs the tool in this process; gives exit code and the lines of both streams."""
    spec = importlib.util.spec_from_file_location("overlay_results", TOOL)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)

    def run(*options, img_root=vis_files / "frames"):
        files = [str(vis_files / "instances.json"), str(vis_files / "results.json")]
        folders = ["--img-root", str(img_root), "--out", str(vis_files / "out")]
        code = 0
        try:
            tool.main([*files, *folders, *options])
        except SystemExit as end:
            code = end.code
        captured = capsys.readouterr()
        return code, captured.out.splitlines(), captured.err.splitlines()

    return run


def _frames(path):
    capture, frames = cv2.VideoCapture(str(path)), []
    while (read := capture.read())[0]:
        frames.append(read[1][..., ::-1])
    return frames


def _written(folder):
    files = (path for path in (folder / "out").rglob("*") if path.is_file())
    return sorted(path.relative_to(folder / "out").as_posix() for path in files)


def test_one_video_per_video(overlay, vis_files):
    code, lines, errors = overlay("--fps", "5")
    assert code == 0
    assert errors == []
    assert _written(vis_files) == ["first.mp4", "second.mp4"]
    frames = _frames(vis_files / "out" / "first.mp4")
    assert len(frames) == 4
    assert frames[0].shape == (48 * 8, 64 * 8, 3)
    assert "[2/2]" in lines[-2]
    assert "4 frames, 1 instances" in lines[-2]


def test_frames_keep_the_layout_of_the_videos(overlay, vis_files):
    assert overlay("--format", "jpg")[0] == 0
    names = [f"{video}/{frame:05d}.jpg" for video in ("first", "second") for frame in range(4)]
    assert _written(vis_files) == names


def test_names_of_windows_are_paths(overlay, vis_files, edit_json):
    def change(content):
        for video in content["videos"]:
            video["file_names"] = [name.replace("/", "\\") for name in video["file_names"]]

    edit_json("instances.json", change)
    assert overlay("--format", "jpg", "--max-videos", "1")[0] == 0
    assert _written(vis_files) == [f"first/{frame:05d}.jpg" for frame in range(4)]


def test_missing_frame_is_named_before_drawing(overlay, vis_files):
    (vis_files / "frames/second/00002.jpg").unlink()
    code, _, errors = overlay()
    assert code == 2
    assert "second/00002.jpg: image not found (1 of 4 frames of video 2 are missing)" in errors[0]
    assert _written(vis_files) == []


def test_color_stays_and_the_null_frame_is_untouched(overlay, vis_files):
    assert overlay("--format", "jpg", "--video-id", "1")[0] == 0
    pictures = [cv2.imread(str(vis_files / f"out/first/0000{i}.jpg"))[..., ::-1] for i in range(4)]
    for frame in range(3):
        center = pictures[frame][8 * 20, 8 * (15 + 8 * frame)].astype(float)
        expected = 0.55 * 20 * frame + 0.45 * np.array(instance_color(1))
        assert np.abs(center - expected).max() < 12  # JPEG
    assert np.abs(pictures[3].astype(float) - 60).max() < 5


def test_ground_truth_beside_the_results(overlay, vis_files):
    assert overlay("--format", "both", "--with-gt", "--max-videos", "1")[0] == 0
    assert _written(vis_files) == ["first.mp4", *[f"first/0000{frame}.jpg" for frame in range(4)]]
    picture = cv2.imread(str(vis_files / "out/first/00000.jpg"))
    assert picture.shape[1] == 2 * 64 * 8


def test_nothing_above_the_threshold_is_said(overlay):
    code, lines, _ = overlay("--score-thr", "0.95", "--format", "jpg")
    assert code == 0
    assert "note: no instance of these videos reaches --score-thr 0.95" in lines


def test_ground_truth_that_is_not_there(overlay, edit_json):
    edit_json("instances.json", lambda content: content.pop("annotations") and None)
    code, _, errors = overlay("--with-gt")
    assert code == 2
    assert "no ground truth to show" in errors[0]


def test_frame_of_another_size_leaves_no_half_video(overlay, vis_files):
    cv2.imwrite(str(vis_files / "frames/second/00002.jpg"), np.zeros((20, 20, 3), np.uint8))
    code, _, errors = overlay()
    assert code == 2
    assert "frame is 20x20" in errors[0]
    assert _written(vis_files) == ["first.mp4"]


@pytest.mark.parametrize("options", [["--fps", "0"], ["--max-videos", "-1"], ["--format", "gif"]])
def test_wrong_numbers_are_refused_by_the_parser(overlay, options):
    code, _, errors = overlay(*options)
    assert code == 2
    assert f"argument {options[0]}" in errors[-1]
