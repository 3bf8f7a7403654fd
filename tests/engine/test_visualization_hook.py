from dataclasses import replace
from types import SimpleNamespace
from unittest.mock import Mock

import cv2
import numpy as np
import pytest
import torch
from mmengine.visualization import Visualizer
from sequence_results import results_of

from mmttsrn.engine.hooks.visualization_hook import VISVisualizationHook
from mmttsrn.errors import UserInputError
from mmttsrn.hosts.mmdet import VISLocalVisualizer
from mmttsrn.visualization.video_io import write_frame

HEIGHT, WIDTH, NUM_FRAMES = 48, 64, 3


@pytest.fixture(autouse=True)
def visualizer(request):
    return VISLocalVisualizer.get_instance(request.node.name, min_side=0)


def _video(folder, video_id, score=0.9):
    """A video on disk and its predictions: one square that moves to the right."""
    paths = [folder / f"{frame:05d}.jpg" for frame in range(NUM_FRAMES)]
    masks = np.zeros((1, NUM_FRAMES, HEIGHT, WIDTH), dtype=bool)
    for frame, path in enumerate(paths):
        write_frame(path, np.full((HEIGHT, WIDTH, 3), 40, dtype=np.uint8))
        masks[0, frame, 20:40, 4 + 8 * frame : 24 + 8 * frame] = True
    results = results_of(masks, [1], [score], video_id=video_id)
    boxes = torch.tensor([[4.0 + 8 * t, 20, 24 + 8 * t, 40] for t in range(NUM_FRAMES)])[None]
    frame_paths = [str(path) for path in paths]
    results = replace(results, boxes=boxes, frame_paths=frame_paths)
    return {"pred_sequences": results}


def _runner(tmp_path, root="images"):
    data_prefix = {"img_path": str(tmp_path / root)} if root else {}
    dataset = SimpleNamespace(metainfo={"classes": ("cat", "dog")}, data_prefix=data_prefix)
    return SimpleNamespace(
        work_dir=str(tmp_path / "work"),
        timestamp="now",
        iter=0,
        test_dataloader=SimpleNamespace(dataset=dataset, sampler=None),
        val_dataloader=SimpleNamespace(dataset=dataset, sampler=None),
    )


def _test(hook, runner, *videos):
    hook.before_test(runner)
    for batch_idx, video in enumerate(videos):
        hook.after_test_iter(runner, batch_idx, {}, [video])


def _written(tmp_path):
    out = tmp_path / "work" / "now" / "show"
    return sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())


def _names(*folders):
    return [f"{folder}/{frame:05d}.jpg" for folder in folders for frame in range(NUM_FRAMES)]


def test_frames_of_two_videos_with_equal_basenames(tmp_path):
    hook = VISVisualizationHook(draw=True, test_out_dir="show")
    videos = [_video(tmp_path / "images" / name, index) for index, name in enumerate("ab")]
    _test(hook, _runner(tmp_path), *videos)
    assert _written(tmp_path) == _names("a", "b")
    frame = cv2.imread(str(tmp_path / "work/now/show/a/00001.jpg"))
    assert frame.shape == (HEIGHT, WIDTH, 3)
    assert frame[35, 22].max() > 100
    assert abs(int(frame[35, 60].max()) - 40) < 8


@pytest.mark.parametrize(
    ("root", "folders", "expected"),
    [
        ("images", ["a/img1", "b/img1"], ["a/img1", "b/img1"]),
        ("images", ["."], ["video_1"]),
        (None, ["a/img1", "b/img1"], ["img1", "img1_2"]),
        ("elsewhere", ["a", "b"], ["a", "b"]),
    ],
)
def test_every_video_has_its_own_folder(tmp_path, root, folders, expected):
    hook = VISVisualizationHook(draw=True, test_out_dir="show")
    videos = [
        _video(tmp_path / "images" / folder, index) for index, folder in enumerate(folders, start=1)
    ]
    _test(hook, _runner(tmp_path, root), *videos)
    assert _written(tmp_path) == _names(*expected)


def test_second_test_run_writes_to_the_same_places(tmp_path):
    hook = VISVisualizationHook(draw=True, test_out_dir="show")
    for video_id in (1, 2):
        _test(hook, _runner(tmp_path), _video(tmp_path / "images/a", video_id))
    assert _written(tmp_path) == _names("a")


@pytest.mark.parametrize("output_format", ["mp4", "both"])
def test_mp4(tmp_path, output_format):
    hook = VISVisualizationHook(draw=True, test_out_dir="show", output_format=output_format, fps=5)
    _test(hook, _runner(tmp_path), _video(tmp_path / "images/a", 1))
    assert _written(tmp_path) == ["a.mp4", *(_names("a") if output_format == "both" else [])]
    capture = cv2.VideoCapture(str(tmp_path / "work/now/show/a.mp4"))
    size = capture.get(cv2.CAP_PROP_FRAME_WIDTH), capture.get(cv2.CAP_PROP_FRAME_HEIGHT)
    assert size == (WIDTH, HEIGHT)
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == NUM_FRAMES
    assert capture.get(cv2.CAP_PROP_FPS) == 5


def test_frame_interval_and_score_threshold(tmp_path):
    hook = VISVisualizationHook(draw=True, test_out_dir="show", frame_interval=2)
    _test(hook, _runner(tmp_path), _video(tmp_path / "images/a", 1, score=0.2))
    assert _written(tmp_path) == ["a/00000.jpg", "a/00002.jpg"]
    frame = cv2.imread(str(tmp_path / "work/now/show/a/00000.jpg"))
    assert np.abs(frame.astype(int) - 40).max() < 5


def test_does_nothing_unless_asked(tmp_path):
    _test(VISVisualizationHook(), _runner(tmp_path), _video(tmp_path / "images/a", 1))
    assert not (tmp_path / "work").exists()


@pytest.mark.parametrize("stage", ["val", "test"])
def test_backends_get_frames_without_an_output_folder(tmp_path, visualizer, stage):
    hook = VISVisualizationHook(draw=True)
    visualizer.dataset_meta = {"classes": ("cat", "dog")}
    visualizer.add_image = Mock()
    after_iter = getattr(hook, f"after_{stage}_iter")
    after_iter(_runner(tmp_path), 0, {}, [_video(tmp_path / "images/a", 1)])
    assert [call.args[0] for call in visualizer.add_image.call_args_list] == [
        "a/00000",
        "a/00001",
        "a/00002",
    ]
    assert visualizer.add_image.call_args.args[1].shape == (HEIGHT, WIDTH, 3)


def test_other_ranks_write_too(tmp_path, monkeypatch):
    monkeypatch.setattr("mmengine.dist.utils.get_rank", lambda group=None: 1)
    hook = VISVisualizationHook(draw=True, test_out_dir="show")
    _test(hook, _runner(tmp_path), _video(tmp_path / "images/a", 1))
    assert _written(tmp_path) == _names("a")
    frame = cv2.imread(str(tmp_path / "work/now/show/a/00000.jpg"))
    assert frame[35, 14].max() > 100


def test_missing_frame_names_the_file(tmp_path):
    video = _video(tmp_path / "images/a", 1)
    (tmp_path / "images/a/00001.jpg").unlink()
    with pytest.raises(UserInputError, match=r"a/00001\.jpg: No such file"):
        _test(VISVisualizationHook(True, test_out_dir="show"), _runner(tmp_path), video)


def test_an_unknown_format_is_refused():
    with pytest.raises(UserInputError, match="output_format: expected"):
        VISVisualizationHook(output_format="gif")


def test_any_visualizer_will_do(tmp_path):
    Visualizer.get_instance("another_visualizer")
    hook = VISVisualizationHook(draw=True, test_out_dir="show")
    _test(hook, _runner(tmp_path), _video(tmp_path / "images/a", 1))
    assert _written(tmp_path) == _names("a")
