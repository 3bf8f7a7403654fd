"""Frames, speed and time that is left while videos are predicted."""

from types import SimpleNamespace

from mmttsrn.datasets.youtube_vis import YouTubeVISVideos
from mmttsrn.engine.hooks import PredictionProgressHook, prediction_progress_hook


class Videos(YouTubeVISVideos):
    """Three videos of 10 frames."""

    def __init__(self) -> None:
        pass

    def __len__(self) -> int:
        return 3

    def get_data_info(self, index: int) -> dict:
        return {"video_length": 10}


def test_lines_come_when_they_are_due(monkeypatch) -> None:
    clock, lines = [100.0], []
    monkeypatch.setattr(prediction_progress_hook.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(
        prediction_progress_hook, "print_log", lambda text, logger: lines.append(text)
    )
    hook = PredictionProgressHook(interval=10)
    runner = SimpleNamespace(test_dataloader=SimpleNamespace(dataset=Videos()))
    hook.before_test_epoch(runner)
    batch = {"data_samples": [SimpleNamespace(video_data_samples=[None] * 10)]}
    for seconds in (5, 15, 15):
        clock[0] += seconds
        hook.after_test_iter(runner, 0, batch, [])
    assert lines == ["test: 20 of about 30 frames, 1.0 frames/s, 10 s left"]


def test_another_data_set_is_left_alone() -> None:
    hook = PredictionProgressHook(interval=0)
    runner = SimpleNamespace(val_dataloader=SimpleNamespace(dataset=[1, 2]))
    hook.before_val_epoch(runner)
    hook.after_val_iter(runner, 0, None, None)
