"""Overlays of validation and test results."""

import os.path as osp
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmengine.visualization import Visualizer

from mmttsrn.errors import UserInputError
from mmttsrn.formats.frames import read_frame
from mmttsrn.registry import HOOKS
from mmttsrn.structures import SequenceResults, video_results
from mmttsrn.visualization.overlay import OverlayStyle, draw_instances
from mmttsrn.visualization.video_io import FORMATS, write_overlays


@HOOKS.register_module()
class VISVisualizationHook(Hook):
    """Writes what a model predicts as overlay frames ``<test_out_dir>/<video>/00000.jpg``.

    ``<video>`` is the folder of the video's frames below the image folder of the dataset. Every
    rank writes the videos it tests. Without ``test_out_dir`` frames go to the visualizer's
    backends, as those of validation do. Frames look as ``mmttsrn.VISLocalVisualizer`` says, if that
    is the visualizer of the config. Samples of any host will do that have ``pred_sequences``.

    Args:
        draw: Whether to draw at all.
        frame_interval: Every how many frames of a video one is drawn.
        score_thr: Instances with a score below it are not drawn.
        show: Whether to show the frames in a window (then nothing goes to the backends).
        wait_time: Seconds that the window shows a frame.
        test_out_dir: Folder to write to; relative to ``<work_dir>/<timestamp>``.
        output_format: ``jpg`` frames, one ``mp4`` ``<test_out_dir>/<video>.mp4`` per video, or
            ``both``.
        fps: Frames per second of the mp4.
        backend_args: Arguments of the file backend that frames are read with.

    Raises:
        UserInputError: ``output_format`` is unknown, or mp4 is asked for and this OpenCV cannot
            write it.
    """

    def __init__(
        self,
        draw: bool = False,
        frame_interval: int = 1,
        score_thr: float = 0.3,
        show: bool = False,
        wait_time: float = 0.0,
        test_out_dir: str | None = None,
        output_format: str = "jpg",
        fps: float = 6.0,
        backend_args: dict | None = None,
    ) -> None:
        if output_format not in FORMATS:
            raise UserInputError(f"output_format: expected {FORMATS}, got {output_format!r}")
        self.draw = draw
        self.frame_interval = frame_interval
        self.score_thr = score_thr
        self.show = show
        self.wait_time = wait_time
        self.test_out_dir = test_out_dir
        self.output_format = output_format
        self.fps = fps
        self.backend_args = backend_args
        self._visualizer: Visualizer = Visualizer.get_current_instance()
        self._style = getattr(self._visualizer, "style", OverlayStyle())
        self._folder_owners: dict[str, tuple[int | str | None, str]] = {}
        self._frames_shown = 0

    def before_test(self, runner: Runner) -> None:
        """Forget which videos an earlier test wrote."""
        self._folder_owners.clear()

    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Give overlays of the videos of this iteration to the backends, or show them."""
        if self.draw:
            self._show_videos(runner.val_dataloader.dataset, outputs, runner.iter)

    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Write the overlays of the videos of this iteration."""
        if self.draw and self.test_out_dir is not None:
            for video in video_results(outputs):
                self._write_video(runner, video)
        elif self.draw:
            self._show_videos(runner.test_dataloader.dataset, outputs, 0)

    def _show_videos(self, dataset: Any, outputs: Sequence[Any], first_step: int) -> None:
        if not is_main_process():
            return
        for video in video_results(outputs):
            for index, path, frame in self._drawn_frames(video, dataset):
                name = f"{osp.basename(osp.dirname(path))}/{osp.splitext(osp.basename(path))[0]}"
                if self.show:
                    self._visualizer.show(frame, name, self.wait_time)
                else:
                    step = first_step + self._frames_shown + index
                    self._visualizer.add_image(name, frame, step)
            self._frames_shown += video.num_frames

    def _drawn_frames(
        self, video: SequenceResults, dataset: Any
    ) -> Iterator[tuple[int, str, np.ndarray]]:
        """Index, file and overlay (H', W', 3) of every ``frame_interval``-th frame."""
        classes = dataset.metainfo.get("classes")
        assert video.frame_paths is not None
        for index in range(0, video.num_frames, self.frame_interval):
            path = video.frame_paths[index]
            image = read_frame(path, self.backend_args)
            shown = video.frame(index, classes, self.score_thr)
            yield index, path, draw_instances(image, shown, self._style)

    def _write_video(self, runner: Runner, video: SequenceResults) -> None:
        dataset = runner.test_dataloader.dataset
        image_root = getattr(dataset, "data_prefix", {}).get("img_path", "")
        out_dir = Path(runner.work_dir, runner.timestamp, self.test_out_dir or "")
        folder = self._video_folder(video, image_root)

        def drawn() -> Iterator[tuple[str, np.ndarray]]:
            for _, path, frame in self._drawn_frames(video, dataset):
                yield f"{folder}/{osp.basename(path)}", frame
                if self.show:
                    self._visualizer.show(frame, osp.basename(folder), self.wait_time)

        write_overlays(out_dir, folder, drawn(), self.output_format, self.fps)

    def _video_folder(self, video: SequenceResults, image_root: str) -> str:
        """Folder of a video's overlays below the output folder, a different one for each video."""
        assert video.frame_paths is not None
        source = osp.dirname(video.frame_paths[0])
        folder = osp.relpath(source, image_root) if image_root else osp.basename(source)
        if folder.startswith(osp.pardir):  # the frames lie outside the image folder
            folder = osp.basename(source)
        if folder in ("", osp.curdir):  # the frames lie in the image folder itself
            folder = f"video_{video.video_id}"
        owner = (video.video_id, source)
        if self._folder_owners.setdefault(folder, owner) != owner:
            folder = f"{folder}_{video.video_id}"
        return folder
