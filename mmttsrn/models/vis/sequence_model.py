"""The tensor core of a VIS model: clips in, instance sequences out, whatever the host."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from mmengine.model import BaseModule
from torch import Tensor

from mmttsrn.errors import UserInputError
from mmttsrn.models.layers import resize_padding_mask
from mmttsrn.models.task_modules import plan_clips
from mmttsrn.registry import MODELS, TASK_UTILS
from mmttsrn.structures import (
    ClipFeatures,
    FrameSizes,
    InstanceSequences,
    MaskFunction,
    SequencePredictions,
    SequenceResults,
    SequenceTargets,
    reflect_frames,
)

FrameReader = Callable[[Tensor], Tensor]


class SequenceModel(BaseModule):
    """Backbone, neck, head and mask head on tensors; neither samples nor a tracker.

    Args:
        backbone: Config of the backbone, called on (N*T, 3, H, W).
        neck: Config of the spatio-temporal neck; None to hand on the backbone's maps.
        pixel_decoder: Config of a pixel decoder, for heads that read its maps.
        head: Config of the head, a decoder: ``head(features)`` gives the
            :class:`SequencePredictions` of each layer, and ``gives``, ``num_classes``,
            ``num_frames`` and ``num_instances`` say what to expect of them.
        post_processor: Config of the post-processor.
        clip_linker: Config of what joins the clips of a video longer than the head's
            ``num_frames``.
        mask_head: Config of a mask head, which gives the masks of the last layer from its states,
            or refines those that the head gives, as a sum of logits; None for neither.
        criterion: Config of the set loss; None for a model that only predicts. The number of
            classes is added from the head.
        clip_overlap: Frames that neighbouring clips of a video share; by default half a clip.
        fill_clips: A video shorter than a clip goes back and forth until it fills one, as the
            training sampler does it; otherwise the model gets a shorter clip.

    Raises:
        UserInputError: If ``clip_overlap`` is not between 0 and ``num_frames - 1``, or the
            criterion needs what the head does not give.

    Source: TT-SRN (2021); VisTR (CVPR 2021).
    """

    def __init__(
        self,
        backbone: dict,
        head: dict,
        post_processor: dict,
        clip_linker: dict,
        neck: dict | None = None,
        pixel_decoder: dict | None = None,
        mask_head: dict | None = None,
        criterion: dict | None = None,
        clip_overlap: int | None = None,
        fill_clips: bool = True,
    ) -> None:
        super().__init__()
        self.backbone = MODELS.build(backbone)
        self.neck = MODELS.build(neck) if neck else None
        self.pixel_decoder = MODELS.build(pixel_decoder) if pixel_decoder else None
        self.head = MODELS.build(head)
        self.mask_head = MODELS.build(mask_head) if mask_head else None
        self.criterion = None
        if criterion:
            self.criterion = MODELS.build(dict(criterion, num_classes=self.head.num_classes))
            last_layer = self.head.gives | ({"masks"} if mask_head else set())
            self.criterion.check_decoder(self.head.gives, last_layer)
        self.post_processor = TASK_UTILS.build(post_processor)
        self.clip_linker = TASK_UTILS.build(clip_linker)
        self.clip_length: int = self.head.num_frames
        self.clip_overlap = self.clip_length // 2 if clip_overlap is None else clip_overlap
        if not 0 <= self.clip_overlap < self.clip_length:
            raise UserInputError(
                f"TTSRN: clip_overlap={self.clip_overlap} must be 0 to {self.clip_length - 1} "
                "(less than head.num_frames)"
            )
        self.fill_clips = fill_clips

    def extract_features(self, frames: Tensor, padding_mask: Tensor) -> ClipFeatures:
        """Run all but the heads on clips (N, T, 3, H, W); ``padding_mask`` is (N, T, H, W)."""
        maps = [m.unflatten(0, frames.shape[:2]) for m in self.backbone(frames.flatten(0, 1))]
        if self.neck is not None:
            features: ClipFeatures = self.neck(maps, padding_mask)
        else:
            features = ClipFeatures(
                memory=maps[-1].permute(0, 1, 3, 4, 2),
                positions=None,
                padding_mask=resize_padding_mask(padding_mask, maps[-1].shape[-2:]),
                fine_maps=tuple(maps[:-1]),
            )
        return features if self.pixel_decoder is None else self.pixel_decoder(features)

    def decode(self, frames: Tensor, padding_mask: Tensor) -> list[SequencePredictions]:
        """Predictions of every decoder layer; arguments as for ``forward``."""
        features = self.extract_features(frames, padding_mask)
        layers: list[SequencePredictions] = self.head(features)
        if self.mask_head is not None:
            layers[-1] = replace(layers[-1], masks=self._masks_of(features, layers[-1]))
        return layers

    def _masks_of(self, features: ClipFeatures, layer: SequencePredictions) -> MaskFunction:
        def masks(rows: Tensor) -> Tensor:
            assert self.mask_head is not None
            # Without a row one instance is computed and left out, so that every parameter takes
            # part in each step, which distributed training needs.
            computed = rows if len(rows) else rows.new_zeros(1, 2)
            logits = self.mask_head(features, layer.states, computed)[: len(rows)]
            return logits if layer.masks is None else layer.masks(rows) + logits

        return masks

    def forward(self, frames: Tensor, padding_mask: Tensor) -> SequencePredictions:
        """Predictions of the last decoder layer.

        Args:
            frames: Normalised frames (N, T, 3, H, W) of N clips, T <= head.num_frames.
            padding_mask: (N, T, H, W) bool, true for padding.

        Returns:
            Logits, and what the model gives of boxes and masks.
        """
        return self.decode(frames, padding_mask)[-1]

    def loss(
        self, frames: Tensor, padding_mask: Tensor, targets: Sequence[SequenceTargets]
    ) -> dict[str, Tensor]:
        """Losses of a batch of clips.

        Args:
            frames: Normalised frames (N, T, 3, H, W).
            padding_mask: (N, T, H, W) bool, true for padding.
            targets: True sequences of each clip.

        Returns:
            Losses by name.

        Raises:
            UserInputError: If the model has no criterion.
        """
        if self.criterion is None:
            raise UserInputError("TTSRN: training needs model.criterion; add it to the config")
        return self.criterion(self.decode(frames, padding_mask), targets)

    def predict(
        self, num_frames: int, read_frames: FrameReader, sizes: FrameSizes
    ) -> SequenceResults:
        """Predict a video of any length, clip by clip.

        Args:
            num_frames: Its length.
            read_frames: Gives the normalised frames (T, 3, H, W) of a clip from their numbers, (T,)
                int64.
            sizes: Sizes of its frames.

        Returns:
            The sequences of the video.
        """
        finished = self.clip_linker.link(self._predict_clips(num_frames, read_frames, sizes))
        return self.post_processor(finished, sizes)

    def _predict_clips(
        self, num_frames: int, read_frames: FrameReader, sizes: FrameSizes
    ) -> Iterator[tuple[int, InstanceSequences]]:
        """Sequences of each clip of a video, with the clip's first frame."""
        height, width = sizes.unpadded
        length = min(self.clip_length, num_frames)
        read = self.clip_length if self.fill_clips else length
        for start in plan_clips(num_frames, self.clip_length, self.clip_overlap):
            frames = reflect_frames(np.arange(start, start + read), num_frames)
            clip = read_frames(torch.from_numpy(frames))[None]  # 1, T, 3, H, W
            padding_mask = torch.ones_like(clip[:, :, 0], dtype=torch.bool)
            padding_mask[..., :height, :width] = False
            sequences = self(clip, padding_mask).clip(0)
            yield start, sequences.frames(0, length)
