"""Overlays of validation and test results."""

from __future__ import annotations

import os.path as osp
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import numpy as np
from mmdet.engine.hooks import TrackVisualizationHook
from mmdet.structures import DetDataSample, TrackDataSample
from mmengine.runner import Runner

from mmttsrn.errors import UserInputError
from mmttsrn.registry import HOOKS
from mmttsrn.visualization import VISLocalVisualizer
from mmttsrn.visualization.render import FORMATS
from mmttsrn.visualization.video_io import Mp4Writer, read_frame, require_mp4_encoder, write_frame


@HOOKS.register_module()
class VISVisualizationHook(TrackVisualizationHook):
    """Writes what a model predicts as overlay frames ``<test_out_dir>/<video>/00000.jpg``.

    ``<video>`` is the folder of the video's frames below the image folder of the dataset. Every
    rank writes the videos it tests. Without ``test_out_dir`` frames go to the visualizer's
    backends, as those of validation do. The config needs
    ``visualizer=dict(type="mmttsrn.VISLocalVisualizer")``.

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
        UserInputError: The visualizer of the runner is of another kind, ``output_format`` is
            unknown, or mp4 is asked for and this OpenCV cannot write it.
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
            raise UserInputError(
                f"output_format is {output_format!r}, expected one of {', '.join(FORMATS)}"
            )
        super().__init__(
            draw, frame_interval, score_thr, show, wait_time, test_out_dir, backend_args
        )
        self.output_format = output_format
        self.fps = fps
        self._folder_owners: dict[str, tuple[int, str]] = {}
        if draw and not isinstance(self._visualizer, VISLocalVisualizer):
            raise UserInputError(
                f"visualizer is {type(self._visualizer).__name__}; VISVisualizationHook needs "
                'visualizer=dict(type="mmttsrn.VISLocalVisualizer") in the config'
            )
        if draw and test_out_dir is not None and output_format != "jpg":
            require_mp4_encoder()

    def before_test(self, runner: Runner) -> None:
        """Forget which videos an earlier test wrote."""
        self._folder_owners.clear()

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict,
        outputs: Sequence[TrackDataSample],
    ) -> None:
        """Write the overlays of the videos of this iteration.

        Args:
            runner: The runner of the test.
            batch_idx: Index of the batch in the test loop.
            data_batch: Data from the data loader.
            outputs: One sample per video, with ``pred_track_instances`` in each frame.
        """
        if self.draw and self.test_out_dir is not None:
            for video in outputs:
                self._write_video(runner, video)
        else:
            super().after_test_iter(runner, batch_idx, data_batch, outputs)

    def visualize_single_image(self, img_data_sample: DetDataSample, step: int) -> None:
        """Show one frame or give it to the visualizer's backends, with its predictions.

        Args:
            img_data_sample: The frame's sample.
            step: Global step under which backends file it.
        """
        img_path = img_data_sample.img_path
        folder, name = osp.split(img_path)
        self._visualizer.add_datasample(
            f"{osp.basename(folder)}/{osp.splitext(name)[0]}",
            read_frame(img_path, self.backend_args),
            data_sample=img_data_sample,
            draw_gt=False,  # its pixels are those of the resized input, not of the frame
            show=self.show,
            wait_time=self.wait_time,
            pred_score_thr=self.score_thr,
            step=step,
        )

    def _write_video(self, runner: Runner, video: TrackDataSample) -> None:
        dataset = runner.test_dataloader.dataset
        classes = dataset.metainfo.get("classes")
        image_root = getattr(dataset, "data_prefix", {}).get("img_path", "")
        out_dir = Path(runner.work_dir, runner.timestamp, self.test_out_dir)
        samples = [video[index] for index in range(0, len(video), self.frame_interval)]
        folder = out_dir / self._video_folder(samples[0], image_root)
        mp4_path = folder.with_name(f"{folder.name}.mp4")
        with nullcontext() if self.output_format == "jpg" else Mp4Writer(mp4_path, self.fps) as mp4:
            for sample in samples:
                frame = self._draw(sample, classes)
                if mp4 is not None:
                    mp4.write(frame)
                if self.output_format != "mp4":
                    write_frame(folder / Path(sample.img_path).with_suffix(".jpg").name, frame)
                if self.show:
                    self._visualizer.show(frame, folder.name, self.wait_time)

    def _draw(self, sample: DetDataSample, classes: tuple[str, ...] | None) -> np.ndarray:
        image = read_frame(sample.img_path, self.backend_args)
        instances = sample.pred_track_instances
        return self._visualizer.draw_frame(image, instances, classes, self.score_thr)

    def _video_folder(self, sample: DetDataSample, image_root: str) -> str:
        """Folder of a video's overlays below the output folder, a different one for each video."""
        source = osp.dirname(sample.img_path)
        folder = osp.relpath(source, image_root) if image_root else osp.basename(source)
        if folder.startswith(osp.pardir):  # the frames lie outside the image folder
            folder = osp.basename(source)
        if folder in ("", osp.curdir):  # the frames lie in the image folder itself
            folder = f"video_{sample.video_id}"
        owner = (sample.video_id, source)
        if self._folder_owners.setdefault(folder, owner) != owner:
            folder = f"{folder}_{sample.video_id}"
        return folder
