"""How far testing has come."""

import time
from typing import Any

from mmengine.dist import get_world_size
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner

from mmttsrn.datasets.youtube_vis import YouTubeVISVideos
from mmttsrn.registry import HOOKS


@HOOKS.register_module()
class PredictionProgressHook(Hook):
    """Logs frames, frames per second and the time that is left in testing and validation.

    MMEngine counts samples, which are whole videos here, and logs each fiftieth.

    Args:
        interval: Seconds between two lines; a line comes with the end of a video.
    """

    def __init__(self, interval: float = 10.0) -> None:
        self.interval = interval
        self.total = 0

    def _before_epoch(self, runner: Runner, mode: str = "train") -> None:
        self.start = self.last = time.monotonic()
        self.frames = self.total = 0
        dataset = getattr(runner, f"{mode}_dataloader").dataset
        if isinstance(dataset, YouTubeVISVideos):
            self.total = dataset.count_frames() // get_world_size()

    def _after_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Any = None,
        mode: str = "train",
    ) -> None:
        if mode == "train" or not self.total:
            return
        samples = data_batch["data_samples"]
        self.frames += sum(len(getattr(s, "video_data_samples", [s])) for s in samples)
        now = time.monotonic()
        if now - self.last >= self.interval and self.frames < self.total:
            self.last, speed = now, self.frames / (now - self.start)
            left = (self.total - self.frames) / speed
            print_log(
                f"{mode}: {self.frames} of about {self.total} frames, {speed:.1f} frames/s, "
                f"{left:.0f} s left",
                logger="current",
            )
