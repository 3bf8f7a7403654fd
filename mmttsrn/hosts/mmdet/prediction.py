"""How models under MMDetection predict videos."""

from collections.abc import Iterable
from typing import Any

from mmdet.structures import TrackDataSample
from torch import Tensor

from mmttsrn.hosts.mmdet.clip_models import clip_model_of, prepare_frame
from mmttsrn.hosts.mmdet.samples import store_results
from mmttsrn.hosts.prediction import predict_video


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
        first = sample[0]
        sizes = first.img_shape[:2], first.ori_shape[:2]
        results = predict_video(clip_model_of(self), frames, *map(tuple, sizes))
        store_results(sample, results)
