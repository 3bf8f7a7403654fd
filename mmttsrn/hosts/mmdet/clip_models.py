"""Models of MMDetection as what a :class:`~mmttsrn.inference.VideoPredictor` runs."""

from collections.abc import Sequence
from typing import Any

import torch
from mmdet.models.vis import Mask2FormerVideo
from mmdet.structures import DetDataSample, TrackDataSample
from torch import Tensor, nn

from mmttsrn.errors import UserInputError
from mmttsrn.hosts.mmdet.model import TTSRN
from mmttsrn.inference import ClipModel
from mmttsrn.models import ClipLinker, InstanceQueryPostProcessor
from mmttsrn.models.task_modules import PostProcessor
from mmttsrn.structures import InstanceSequences

# Longer clips than this are not what mmdet's model is trained on (2 frames) and take much memory.
MASK2FORMER_FRAMES = 8


class Mask2FormerClips:
    """mmdet's ``Mask2FormerVideo``, clip by clip, so that memory is bounded.

    Scores are those of Mask2Former for video (2021): class probabilities, of which the best ten
    pairs of query and class are kept.

    Args:
        model: The model, with its published config and weights.
    """

    gives = frozenset({"masks"})
    clip_length = MASK2FORMER_FRAMES
    clip_overlap = MASK2FORMER_FRAMES // 2
    fill_clips = False

    def __init__(self, model: Mask2FormerVideo) -> None:
        self.model = model
        self.clip_linker = ClipLinker()
        self.post_processor: PostProcessor = InstanceQueryPostProcessor(
            null_frame_score=0.0, top_k=10, mask_quality=False
        )

    def frame_maps(self, frames: Tensor) -> list[Any]:
        """Backbone maps of each frame (t, 3, H, W)."""
        return list(zip(*self.model.backbone(frames), strict=True))

    def predict_clip(
        self, maps: Sequence[Any], padding_mask: Tensor, with_masks: bool = True
    ) -> InstanceSequences:
        """Sequences of a clip; the model takes padding as a part of the frame, as in mmdet."""
        levels = [torch.stack(level) for level in zip(*maps, strict=True)]
        size = tuple(padding_mask.shape)
        sample = TrackDataSample()
        sample.video_data_samples = [
            DetDataSample(metainfo=dict(batch_input_shape=size, img_shape=size)) for _ in maps
        ]
        logits, masks = self.model.track_head(levels, sample)
        logits = logits[-1].expand(len(maps), -1, -1)  # T, Q, K+1
        return InstanceSequences.from_clip(logits, None, masks[-1][0])


def clip_model_of(model: nn.Module) -> ClipModel:
    """Return what predicts the clips of a model.

    Raises:
        UserInputError: No video can be predicted with models of this class.
    """
    if isinstance(model, TTSRN):
        return model.core
    if isinstance(model, Mask2FormerVideo):
        return Mask2FormerClips(model)
    raise UserInputError(
        f"model: {type(model).__name__} cannot predict a video here; TTSRN and Mask2FormerVideo can"
    )
