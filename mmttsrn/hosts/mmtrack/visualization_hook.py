"""MMTracking's hook that draws predictions, mended."""

from collections.abc import Sequence
from pathlib import Path

from mmengine.runner import Runner
from mmtrack.engine.hooks import TrackVisualizationHook
from mmtrack.registry import HOOKS as MMTRACK_HOOKS
from mmtrack.structures import TrackDataSample

from mmttsrn.formats.frames import read_frame
from mmttsrn.registry import HOOKS


@MMTRACK_HOOKS.register_module()
@HOOKS.register_module()
class MMTrackVisualizationHook(TrackVisualizationHook):
    """MMTracking's ``TrackVisualizationHook`` for any of its models, as ``mmttsrn.`` in a config.

    Differs from its base: batches may be whole videos (``EntireVideoBatchSampler``), ``interval``
    counts frames, and a test writes ``<work_dir>/<timestamp>/<test_out_dir>/<video>/<frame>``,
    where the base puts folders into each other and frames of all videos under one name. With
    ``visualizer=dict(type="mmttsrn.VISLocalVisualizer")``, ground truth with ``BitmapMasks`` is
    drawn as well; the visualizer of MMTracking fails on it.

    It takes each frame's ``pred_track_instances``. For models of mmttsrn,
    :class:`~mmttsrn.engine.hooks.VISVisualizationHook` is the one to take.

    Args:
        **kwargs: Arguments of the base class.
    """

    def after_val_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: Sequence[TrackDataSample] = (),
    ) -> None:
        """Give drawn frames to the backends of the visualizer, or show them."""
        self._draw_frames(outputs, "val_img", runner.iter + batch_idx * len(outputs), None)

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: Sequence[TrackDataSample] = (),
    ) -> None:
        """Write drawn frames, or do as in validation."""
        folder = None
        if self.test_out_dir is not None:
            folder = Path(runner.work_dir, runner.timestamp, self.test_out_dir)
        self._draw_frames(outputs, "test_img", batch_idx * len(outputs), folder)

    def _draw_frames(
        self, samples: Sequence[TrackDataSample], name: str, first_step: int, folder: Path | None
    ) -> None:
        if not self.draw:
            return
        for index, sample in enumerate(samples):
            if sample.get("frame_id", index) % self.interval:
                continue
            path = Path(sample.img_path)
            image = read_frame(path)
            self._visualizer.add_datasample(
                path.name if self.show else name,
                image,
                data_sample=sample,
                show=self.show,
                wait_time=self.wait_time,
                pred_score_thr=self.score_thr,
                out_file=None if folder is None else str(folder / path.parent.name / path.name),
                step=first_step + index,
            )
