"""The VIS model, hosted by mmdet's tracking base class."""

from collections.abc import Iterator

import torch
from mmdet.models.mot import BaseMOTModel
from mmdet.structures import TrackDataSample
from mmengine.model import initialize
from mmengine.structures import InstanceData
from torch import Tensor

from mmttsrn.errors import UserInputError
from mmttsrn.models.task_modules.clip_linker import plan_clips
from mmttsrn.registry import MODELS, TASK_UTILS
from mmttsrn.structures import (
    ClipFeatures,
    InstanceSequences,
    SequencePredictions,
    SequenceResults,
    SequenceTargets,
    build_sequence_targets,
)


@MODELS.register_module()
class TTSRN(BaseMOTModel):
    """Clip in, instance sequences out: backbone, neck, head, mask head, and no tracker.

    Args:
        backbone: Config of the backbone, called on (N*T, 3, H, W).
        neck: Config of the spatio-temporal neck.
        head: Config of the instance sequence head.
        mask_head: Config of the mask head; None gives a box-only model.
        criterion: Config of the set loss; None for a model that only predicts. The number of
            classes is added from the head.
        post_processor: Config of the post-processor.
        clip_linker: Config of what joins the clips of a video longer than the head's
            ``num_frames``.
        clip_overlap: Frames that neighbouring clips of such a video share; by default half a clip.
        data_preprocessor: Config of mmdet's ``TrackDataPreprocessor``.
        init_cfg: MMEngine initialisation of the whole model; it comes after that of the parts.

    Raises:
        UserInputError: If ``clip_overlap`` is not between 0 and ``num_frames - 1``.

    Source: TT-SRN (2021); VisTR (CVPR 2021).
    """

    init_cfg: dict | list[dict] | None

    def __init__(
        self,
        backbone: dict,
        neck: dict,
        head: dict,
        mask_head: dict | None = None,
        criterion: dict | None = None,
        post_processor: dict | None = None,
        clip_linker: dict | None = None,
        clip_overlap: int | None = None,
        data_preprocessor: dict | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        self.backbone = MODELS.build(backbone)
        self.neck = MODELS.build(neck)
        self.head = MODELS.build(head)
        self.mask_head = MODELS.build(mask_head) if mask_head else None
        self.criterion = None
        if criterion:
            self.criterion = MODELS.build(dict(criterion, num_classes=self.head.num_classes))
        self.post_processor = TASK_UTILS.build(
            post_processor or dict(type="mmttsrn.SequencePostProcessor")
        )
        self.clip_linker = TASK_UTILS.build(clip_linker or dict(type="mmttsrn.ClipLinker"))
        self.clip_length: int = self.head.num_frames
        self.clip_overlap = self.clip_length // 2 if clip_overlap is None else clip_overlap
        if not 0 <= self.clip_overlap < self.clip_length:
            raise UserInputError(
                f"TTSRN: clip_overlap={self.clip_overlap} must be 0 to {self.clip_length - 1} "
                "(less than head.num_frames)"
            )

    def init_weights(self) -> None:
        """Initialise the parts; ``init_cfg`` of the whole model has the last word."""
        init_cfg, self.init_cfg = self.init_cfg, None
        super().init_weights()
        self.init_cfg = init_cfg
        if init_cfg:
            initialize(self, init_cfg)

    def extract_features(self, inputs: Tensor, padding_mask: Tensor) -> ClipFeatures:
        """Run backbone and neck on clips (N, T, 3, H, W); ``padding_mask`` is (N, T, H, W)."""
        maps = self.backbone(inputs.flatten(0, 1))
        return self.neck([m.unflatten(0, inputs.shape[:2]) for m in maps], padding_mask)

    def loss(
        self, inputs: Tensor, data_samples: list[TrackDataSample], **kwargs: object
    ) -> dict[str, Tensor]:
        """Losses of a batch of clips.

        Args:
            inputs: Preprocessed frames (N, T, 3, H, W).
            data_samples: Annotations of each clip.
            **kwargs: Ignored; part of the host's interface.

        Returns:
            Losses by name.

        Raises:
            UserInputError: If the model has no criterion.
        """
        if self.criterion is None:
            raise UserInputError("TTSRN: training needs model.criterion; add it to the config")
        features = self.extract_features(inputs, padding_mask_of(inputs, data_samples))
        predictions: SequencePredictions = self.head(features)
        targets = self._targets(data_samples, inputs.device)
        matches = self.criterion.match(
            predictions.logits[-1].detach(), predictions.boxes[-1].detach(), targets
        )
        mask_logits = None
        if self.mask_head is not None:
            # Without a match one instance is computed and left out, so that every parameter takes
            # part in each step, which distributed training needs.
            instances = matches[:, :2] if len(matches) else matches.new_zeros(1, 2)
            mask_logits = self.mask_head(features, predictions.states[-1], instances)
            mask_logits = mask_logits[: len(matches)]
        return self.criterion(predictions, targets, matches, mask_logits)

    def predict(
        self, inputs: Tensor, data_samples: list[TrackDataSample], **kwargs: object
    ) -> list[TrackDataSample]:
        """Predict whole videos of any length.

        Args:
            inputs: Preprocessed frames (N, T, 3, H, W) of N videos.
            data_samples: Meta data of each video; filled with predictions.
            **kwargs: Ignored; part of the host's interface.

        Returns:
            ``data_samples``, each frame with ``pred_track_instances``: all n sequences of the
            video in the same order, with ``instances_id``, ``labels`` and ``scores`` (of the
            sequence), ``frame_scores``, ``bboxes`` (n, 4) as (x1, y1, x2, y2) and ``masks``
            (n, H, W) bool, in original pixels, on the CPU.
        """
        padding_mask = padding_mask_of(inputs, data_samples)
        for video, mask, sample in zip(inputs, padding_mask, data_samples, strict=True):
            clips = self._predict_clips(video, mask)
            sequences = self.clip_linker.link(clips, len(video))
            frame = sample[0]
            results = self.post_processor(
                sequences,
                padded_size=tuple(inputs.shape[-2:]),
                frame_size=tuple(frame.img_shape[:2]),
                original_size=tuple(frame.ori_shape[:2]),
            )
            _store(sample, results)
        return data_samples

    def _predict_clips(
        self, video: Tensor, padding_mask: Tensor
    ) -> Iterator[tuple[int, InstanceSequences]]:
        """Sequences of each clip of a video (T, 3, H, W), with the clip's first frame."""
        num_frames = len(video)
        for start in plan_clips(num_frames, self.clip_length, self.clip_overlap):
            # A video shorter than a clip goes back and forth, as the training sampler does.
            index = reflected_indices(start, self.clip_length, num_frames).to(video.device)
            logits, boxes, masks = self._forward_clips(
                video[index][None], padding_mask[index][None]
            )
            clip = InstanceSequences.from_clip(
                logits[0], boxes[0], None if masks is None else masks[0]
            )
            yield start, clip.frames(0, min(self.clip_length, num_frames))

    def _forward(
        self, inputs: Tensor, data_samples: list[TrackDataSample] | None = None, **kwargs: object
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Raw outputs of the last decoder layer for clips (N, T, 3, H, W), T <= num_frames.

        Returns:
            Class logits (N, T, Q, K+1), boxes (N, T, Q, 4) and mask logits (N, Q, T, H/4, W/4),
            None for a box-only model.
        """
        return self._forward_clips(inputs, padding_mask_of(inputs, data_samples))

    def _forward_clips(
        self, inputs: Tensor, padding_mask: Tensor
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        features = self.extract_features(inputs, padding_mask)
        predictions: SequencePredictions = self.head(features)
        masks = None
        if self.mask_head is not None:
            masks = self.mask_head(features, predictions.states[-1])
            masks = masks.unflatten(0, (len(inputs), self.head.num_instances))
        return predictions.logits[-1], predictions.boxes[-1], masks

    def _targets(
        self, data_samples: list[TrackDataSample], device: torch.device
    ) -> list[SequenceTargets]:
        return [
            build_sequence_targets(
                sample, device, self.mask_head is not None, self.head.num_instances
            )
            for sample in data_samples
        ]


def padding_mask_of(inputs: Tensor, data_samples: list[TrackDataSample] | None) -> Tensor:
    """(N, T, H, W) bool, true where a frame of ``inputs`` (N, T, 3, H, W) is padding."""
    n, t, _, h, w = inputs.shape
    mask = torch.zeros(n, t, h, w, dtype=torch.bool, device=inputs.device)
    for clip_mask, sample in zip(mask, data_samples or (), strict=data_samples is not None):
        for frame_mask, frame in zip(clip_mask, sample, strict=True):
            height, width = frame.img_shape[:2]
            frame_mask[height:] = True
            frame_mask[:, width:] = True
    return mask


def reflected_indices(start: int, length: int, num_frames: int) -> Tensor:
    """Frames ``start``, ``start + 1``, ..., turning back at the ends of the video."""
    index = torch.arange(start, start + length)
    period = max(2 * num_frames - 2, 1)
    index = index % period
    return torch.minimum(index, period - index) if num_frames > 1 else torch.zeros_like(index)


def _store(sample: TrackDataSample, results: SequenceResults) -> None:
    ids = torch.arange(len(results.scores))
    for t in range(len(sample)):
        frame = InstanceData(
            instances_id=ids,
            labels=results.labels,
            scores=results.scores,
            frame_scores=results.frame_scores[:, t],
            bboxes=results.boxes[:, t],
        )
        if results.masks is not None:
            frame.masks = results.masks[:, t]
        sample[t].pred_track_instances = frame
