"""The model as MMDetection's tracking models are called."""

from collections.abc import Iterator
from itertools import chain

from mmdet.models.mot import BaseMOTModel
from mmdet.structures import TrackDataSample
from torch import Tensor

from mmttsrn.hosts.hosted_model import HostedModel
from mmttsrn.hosts.mmdet.samples import (
    clip_targets,
    frame_sizes_of,
    padding_mask_of,
    prepare_frame,
    store_results,
)
from mmttsrn.inference import VideoPredictor
from mmttsrn.registry import MODELS
from mmttsrn.structures import SequenceTargets


@MODELS.register_module()
class TTSRN(HostedModel, BaseMOTModel):
    """The model under MMDetection; arguments are those of its base class.

    A batch is (N, T, 3, H, W) frames and N ``TrackDataSample`` of T frame samples.
    """

    def prepare_frame(self, frame: Tensor) -> Tensor:
        """Normalise and pad a frame (3, H, W) in BGR of 0 to 255, on the device of the model."""
        return prepare_frame(self, frame)

    def clips_of(
        self, inputs: Tensor, data_samples: list[TrackDataSample] | None
    ) -> tuple[Tensor, Tensor]:
        """Frames of a batch, and where they are padding (N, T, H, W)."""
        return inputs, padding_mask_of(inputs, data_samples)

    def targets_of(
        self, data_samples: list[TrackDataSample], with_masks: bool
    ) -> list[SequenceTargets]:
        """Collect the true sequences of a batch, on the CPU."""
        return [clip_targets(s, with_masks, self.core.head.num_instances) for s in data_samples]

    def predict(
        self, inputs: Tensor, data_samples: list[TrackDataSample], **kwargs: object
    ) -> list[TrackDataSample]:
        """Predict whole videos of any length.

        Args:
            inputs: Preprocessed frames (N, T, 3, H, W) of N videos.
            data_samples: Meta data of each video.
            **kwargs: Ignored; part of the host's interface.

        Returns:
            ``data_samples``, each with the :class:`~mmttsrn.structures.SequenceResults` of its
            video as ``pred_sequences``.
        """
        for video, sample in zip(inputs, data_samples, strict=True):
            self._predict_video(iter(video), sample)
        return data_samples

    def test_step(self, data: dict) -> list[TrackDataSample]:
        """Predict the videos that the data loader gives, see :meth:`predict`.

        Each frame is preprocessed when it is predicted: those of a long video would take four
        times as much memory.
        """
        for video, sample in zip(data["inputs"], data["data_samples"], strict=True):
            self._predict_video(map(self.prepare_frame, video), sample)
        return data["data_samples"]

    val_step = test_step

    def _predict_video(self, frames: Iterator[Tensor], sample: TrackDataSample) -> None:
        first = next(frames)
        predictor = VideoPredictor(self.core, frame_sizes_of(sample, first.shape[-2:]))
        store_results(sample, predictor.predict(chain([first], frames)))
