"""The model as MMTracking's models of video instance segmentation are called."""

from collections.abc import Iterator, Mapping
from typing import Any

from mmtrack.models.mot import BaseMultiObjectTracker
from mmtrack.registry import MODELS as MMTRACK_MODELS
from mmtrack.structures import TrackDataSample
from torch import Tensor

from mmttsrn.hosts.clip_truth import padding_mask
from mmttsrn.hosts.hosted_model import HostedModel
from mmttsrn.hosts.mmtrack.samples import (
    check_whole_video,
    clip_targets,
    image_sizes,
    stacked_frames,
    store_results,
)
from mmttsrn.inference.video_predictor import predict_video
from mmttsrn.registry import MODELS
from mmttsrn.structures import SequenceTargets


@MMTRACK_MODELS.register_module()
@MODELS.register_module()
class MMTrackTTSRN(HostedModel, BaseMultiObjectTracker):
    """The model under MMTracking; further arguments are those of its base class.

    A batch for training is ``dict(img=..., ref_img=...)`` of frames (N, T, 3, H, W) and N samples.
    A batch to be predicted is a whole video: T samples of one frame, as
    ``EntireVideoBatchSampler`` gives them.

    Args:
        frame_results: Whether the sample of each frame gets ``pred_track_instances``, for metrics
            and hooks of MMTracking, besides the ``pred_sequences`` of the last one. Their masks are
            in full size, which takes memory for the whole video.
    """

    def __init__(self, *args: Any, frame_results: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.frame_results = frame_results

    def prepare_frame(self, frame: Tensor) -> Tensor:
        """Normalise and pad a frame (3, H, W) in BGR of 0 to 255, on the device of the model."""
        data = dict(inputs=dict(img=[frame[None]]), data_samples=None)
        return self.data_preprocessor(data)["inputs"]["img"][0, 0]

    def clips_of(
        self, inputs: Mapping[str, Tensor], data_samples: list[TrackDataSample] | None
    ) -> tuple[Tensor, Tensor]:
        """Frames of a batch (N, T, 3, H, W), and where they are padding (N, T, H, W)."""
        if isinstance(inputs, Tensor):  # outside of MMTracking's loops
            inputs = dict(img=inputs)
        frames = stacked_frames(inputs, data_samples)
        return frames, padding_mask(frames, [image_sizes(s) for s in data_samples or ()])

    def targets_of(
        self, data_samples: list[TrackDataSample], with_masks: bool
    ) -> list[SequenceTargets]:
        """Collect the true sequences of a batch, on the CPU."""
        most = self.core.head.num_instances
        shapes = [sample.batch_input_shape for sample in data_samples]
        padded = [shape[0] if isinstance(shape, list) else shape for shape in shapes]
        return [
            clip_targets(sample, size, with_masks, most)
            for sample, size in zip(data_samples, padded, strict=True)
        ]

    def predict(
        self, inputs: Mapping[str, Tensor], data_samples: list[TrackDataSample], **kwargs: object
    ) -> list[TrackDataSample]:
        """Predict a whole video of any length.

        Args:
            inputs: Preprocessed frames ``dict(img=(T, 1, 3, H, W))``.
            data_samples: Meta data of the T frames, which have to be those of one whole video.
            **kwargs: Ignored; part of the host's interface.

        Returns:
            ``data_samples``, with the :class:`~mmttsrn.structures.SequenceResults` of the video as
            ``pred_sequences`` of the last one.
        """
        return self._predict_video((frame[0] for frame in inputs["img"]), data_samples)

    def test_step(self, data: dict) -> list[TrackDataSample]:
        """Predict the video that the data loader gives, see :meth:`predict`.

        Each frame is preprocessed when it is predicted: those of a long video would take four
        times as much memory.
        """
        frames = (self.prepare_frame(frame[0]) for frame in data["inputs"]["img"])
        return self._predict_video(frames, data["data_samples"])

    val_step = test_step

    def _predict_video(
        self, frames: Iterator[Tensor], samples: list[TrackDataSample]
    ) -> list[TrackDataSample]:
        check_whole_video(samples)
        sizes = samples[0].img_shape[:2], samples[0].ori_shape[:2]
        results = predict_video(self.core, frames, *map(tuple, sizes))
        store_results(samples, results, self.frame_results)
        return samples
