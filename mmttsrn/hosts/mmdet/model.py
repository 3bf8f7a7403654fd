"""Models as MMDetection calls them: clips to losses, whole videos to sequences."""

from collections.abc import Iterable
from typing import Any

from mmdet.models.mot import BaseMOTModel
from mmdet.models.vis import Mask2FormerVideo as HostMask2FormerVideo
from mmdet.structures import TrackDataSample
from torch import Tensor

from mmttsrn.hosts.clip_truth import padding_mask
from mmttsrn.hosts.hosted_model import HostedModel
from mmttsrn.hosts.mmdet.clip_models import clip_model_of, prepare_frame
from mmttsrn.hosts.mmdet.samples import clip_targets, store_results
from mmttsrn.inference.video_predictor import predict_video
from mmttsrn.registry import MODELS
from mmttsrn.structures import SequenceTargets


class PredictsVideos:
    """Part of a model of MMDetection: it predicts videos of any length window by window.

    It comes before the base class of MMDetection. What predicts the windows is
    :func:`~mmttsrn.hosts.mmdet.clip_models.clip_model_of` the model, as for ``VISInferencer``.
    """

    def predict(
        self, inputs: Tensor, data_samples: list[TrackDataSample], **kwargs: Any
    ) -> list[TrackDataSample]:
        """Predict whole videos.

        Args:
            inputs: Preprocessed frames (N, T, 3, H, W) of N videos.
            data_samples: Meta data of each video.
            **kwargs: Ignored; part of the host's interface.

        Returns:
            ``data_samples``, each with the :class:`~mmttsrn.structures.SequenceResults` of its
            video as ``pred_sequences``.
        """
        for video, sample in zip(inputs, data_samples, strict=True):
            self._predict_video(video, sample)
        return data_samples

    def test_step(self: Any, data: dict) -> list[TrackDataSample]:
        """Predict the videos that the data loader gives, see :meth:`predict`.

        Each frame is preprocessed when it is predicted: those of a long video would take four
        times as much memory.
        """
        for video, sample in zip(data["inputs"], data["data_samples"], strict=True):
            self._predict_video((prepare_frame(self, frame) for frame in video), sample)
        return data["data_samples"]

    val_step = test_step

    def _predict_video(self: Any, frames: Iterable[Tensor], sample: TrackDataSample) -> None:
        sizes = sample[0].img_shape[:2], sample[0].ori_shape[:2]
        results = predict_video(clip_model_of(self), frames, *map(tuple, sizes))
        store_results(sample, results)


@MODELS.register_module()
class TTSRN(PredictsVideos, HostedModel, BaseMOTModel):
    """The model under MMDetection; arguments are those of its base class.

    A batch is (N, T, 3, H, W) frames and N ``TrackDataSample`` of T frame samples.
    """

    def clips_of(
        self, inputs: Tensor, data_samples: list[TrackDataSample] | None
    ) -> tuple[Tensor, Tensor]:
        """Frames of a batch, and where they are padding (N, T, H, W)."""
        sizes = [[frame.img_shape[:2] for frame in sample] for sample in data_samples or ()]
        return inputs, padding_mask(inputs, sizes)

    def targets_of(
        self, data_samples: list[TrackDataSample], with_masks: bool
    ) -> list[SequenceTargets]:
        """Collect the true sequences of a batch, on the CPU."""
        return [clip_targets(s, with_masks, self.core.head.num_instances) for s in data_samples]


@MODELS.register_module()
class Mask2FormerVideo(PredictsVideos, HostMask2FormerVideo):
    """mmdet's Mask2Former for videos, a baseline that is tested like the models here.

    Arguments are those of :class:`mmdet.models.vis.Mask2FormerVideo`. It gives the 10 best pairs of
    query and class, see :class:`~mmttsrn.hosts.mmdet.clip_models.Mask2FormerClips`.
    """
