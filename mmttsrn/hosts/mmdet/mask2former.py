"""MMDetection's Mask2Former for videos, as a baseline that is tested like the models here."""

from typing import Any

import torch
from mmdet.models.vis import Mask2FormerVideo as HostMask2FormerVideo
from mmdet.structures import TrackDataSample
from mmdet.structures.mask import encode_mask_results
from torch import Tensor

from mmttsrn.hosts.mmdet.samples import store_results
from mmttsrn.registry import MODELS
from mmttsrn.structures import SequenceResults


@MODELS.register_module()
class Mask2FormerVideo(HostMask2FormerVideo):
    """mmdet's model; what it predicts is stored as :class:`~mmttsrn.structures.SequenceResults`.

    Arguments are those of :class:`mmdet.models.vis.Mask2FormerVideo`. It sees a whole video at
    once and gives the 10 best pairs of query and class, so ``num_queries * num_classes`` of its
    head has to be at least 10.
    """

    def predict(
        self, inputs: Tensor, data_samples: list[TrackDataSample], **kwargs: Any
    ) -> list[TrackDataSample]:
        """Predict whole videos.

        mmdet's method takes one video and leaves out the meta data of its sample.

        Args:
            inputs: Preprocessed frames (N, T, 3, H, W) of N videos.
            data_samples: Meta data of each video.
            **kwargs: Further arguments of mmdet's method.

        Returns:
            ``data_samples``, each with the results of its video as ``pred_sequences``.
        """
        for video, sample in zip(inputs, data_samples, strict=True):
            super().predict(video[None], [sample], **kwargs)
            store_results(sample, _take_results(sample))
        return data_samples


def _take_results(sample: TrackDataSample) -> SequenceResults:
    """Take the predicted tracks, the same n in each of T frames, out of the sample of a video.

    A track whose mask is empty is hidden in that frame; one hidden in all stays, as in mmdet.
    """
    frames = [frame.pred_track_instances for frame in sample]
    for frame in sample:  # masks at the original size would stay in memory beside their RLE
        del frame.pred_track_instances
    visible = torch.stack([tracks.masks.flatten(1).any(1) for tracks in frames], 1).cpu()  # n, T
    counts: list[list[str | None]] = [[None] * len(frames) for _ in visible]
    for index, tracks in enumerate(frames):
        for row, rle in enumerate(encode_mask_results(tracks.masks.cpu().numpy())):
            if visible[row, index]:
                counts[row][index] = rle["counts"].decode()
    scores = frames[0].scores.cpu()
    return SequenceResults(
        scores=scores,
        labels=frames[0].labels.cpu(),
        frame_scores=scores[:, None].repeat(1, len(frames)),
        visible=visible,
        boxes=torch.stack([tracks.bboxes for tracks in frames], 1).cpu(),
        size=tuple(frames[0].masks.shape[-2:]),
        counts=counts,
    )
