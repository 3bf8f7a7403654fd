"""Models of MMDetection as what a :class:`~mmttsrn.inference.VideoPredictor` runs."""

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Lock, get_ident
from typing import Any

import torch
from mmdet.models.vis import Mask2FormerVideo, MaskTrackRCNN
from mmdet.structures import DetDataSample, TrackDataSample
from torch import Tensor, nn

from mmttsrn.errors import UserInputError
from mmttsrn.hosts.hosted_model import HostedModel
from mmttsrn.inference import ClipModel
from mmttsrn.models import ClipLinker, InstanceQueryPostProcessor
from mmttsrn.models.task_modules import LinkedVideo, PostProcessor
from mmttsrn.structures import InstanceSequences

# Longer clips than this are not what mmdet's model is trained on (2 frames) and take much memory.
MASK2FORMER_FRAMES = 8
CODE_BITS = 32  # of track ids
_REGISTERING = Lock()


class Mask2FormerClips:
    """mmdet's ``Mask2FormerVideo``, clip by clip, so that memory is bounded.

    Scores are those of Mask2Former for video (2021): class probabilities; the best ten
    pairs of query and class are kept. States are the queries after the decoder's norm. Under
    autocast only the backbone runs in lower precision: MMCV's multi-scale deformable attention has
    no bfloat16 on a GPU.

    Args:
        model: The model, with its published config and weights.
    """

    gives = frozenset({"masks"})
    clip_length = MASK2FORMER_FRAMES
    clip_overlap = MASK2FORMER_FRAMES // 2
    fill_clips = False
    has_memory = False
    propagates = False

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
        self,
        maps: Sequence[Any],
        padding_mask: Tensor,
        with_masks: bool = True,
        previous: Tensor | None = None,
    ) -> InstanceSequences:
        """Sequences of a clip; the model takes padding as a part of the frame, as in mmdet."""
        levels = [torch.stack(level).float() for level in zip(*maps, strict=True)]
        size = tuple(padding_mask.shape)
        sample = TrackDataSample()
        sample.video_data_samples = [
            DetDataSample(metainfo=dict(batch_input_shape=size, img_shape=size)) for _ in maps
        ]
        head = self.model.track_head
        with (
            torch.autocast(padding_mask.device.type, enabled=False),
            _outputs_of(head.transformer_decoder.post_norm) as states,
        ):
            logits, masks = head(levels, sample)
        # One class and state for all frames: (1, Q, ...) to (T, Q, ...).
        logits, state = (x[-1].expand(len(maps), -1, -1) for x in (logits, states))
        return InstanceSequences.from_clip(logits, None, masks[-1][0], state)


@contextmanager
def _outputs_of(module: nn.Module) -> Iterator[list[Tensor]]:
    """Collect what a module gives in this thread; others may run the same model meanwhile."""
    thread, outputs = get_ident(), []

    def collect(module: nn.Module, inputs: Any, output: Tensor) -> None:
        if get_ident() == thread:
            outputs.append(output)

    with _REGISTERING:  # PyTorch counts hooks without a lock
        hook = module.register_forward_hook(collect)
    try:
        yield outputs
    finally:
        hook.remove()


class MaskTrackFrames:
    """mmdet's ``MaskTrackRCNN``: frame by frame, with the ids of its own tracker.

    The tracker remembers the video: each object of this class, which shares the weights of the
    model, has a tracker of its own, for one video at a time.

    Args:
        model: The model, with its published config and weights.
    """

    gives = frozenset({"boxes", "masks"})
    clip_length = 1
    clip_overlap = 0
    fill_clips = False
    has_memory = True
    propagates = False

    def __init__(self, model: MaskTrackRCNN) -> None:
        self.model = copy.copy(model)
        self.model.tracker = copy.deepcopy(model.tracker)
        self.clip_linker: ClipLinker = _TrackerLinker(self)
        self.post_processor: PostProcessor = InstanceQueryPostProcessor(
            null_frame_score=0.0, mask_quality=False
        )
        self.next_frame = 0

    def frame_maps(self, frames: Tensor) -> list[Any]:
        """Hand on the frames: the tracker needs them in order, one by one."""
        return list(frames)

    def predict_clip(
        self,
        maps: Sequence[Any],
        padding_mask: Tensor,
        with_masks: bool = True,
        previous: Tensor | None = None,
    ) -> InstanceSequences:
        """Tracks of one frame; their states tell the ids of the tracker."""
        (frame,) = maps
        height, width = (~padding_mask).any(1).sum(), (~padding_mask).any(0).sum()
        shape = (int(height), int(width))
        sample = TrackDataSample()
        sample.video_data_samples = [
            DetDataSample(
                metainfo=dict(
                    frame_id=self.next_frame,
                    img_shape=shape,
                    ori_shape=shape,
                    batch_input_shape=tuple(padding_mask.shape),
                    scale_factor=(1.0, 1.0),
                )
            )
        ]
        self.next_frame += 1
        with torch.autocast(frame.device.type, enabled=False):  # MMCV's RoI ops have no bfloat16
            self.model.predict(frame[None, None], [sample])
        tracks = sample[0].pred_track_instances
        num_classes = self.model.detector.roi_head.bbox_head.num_classes
        probabilities = tracks.scores.new_zeros(len(tracks.scores), num_classes + 1)
        rows = torch.arange(len(tracks.scores))
        probabilities[rows, tracks.labels] = tracks.scores
        probabilities[:, -1] = 1 - tracks.scores
        masks = torch.full((len(rows), 1, *padding_mask.shape), -1.0, device=frame.device)
        masks[:, 0, : shape[0], : shape[1]][tracks.masks.to(torch.bool)] = 1.0
        boxes = tracks.bboxes / tracks.bboxes.new_tensor([shape[1], shape[0]] * 2)
        centre, extent = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
        return InstanceSequences(
            probabilities.clamp(min=1e-7).log()[:, None],
            torch.cat([centre, extent], 1)[:, None],
            masks if with_masks else None,
            torch.ones(len(rows), 1, dtype=torch.bool, device=frame.device),
            _codes(tracks.instances_id)[:, None],
        )


class _TrackerLinker(ClipLinker):
    """Takes the ids of a tracker over, which the states tell, for as long as it remembers them."""

    def __init__(self, owner: MaskTrackFrames) -> None:
        retained = getattr(owner.model.tracker, "num_frames_retain", 0)
        super().__init__(min_score=0.0, memory=retained + 1, min_similarity=0.999)
        self.owner = owner

    def start(self) -> LinkedVideo:
        """Begin a video; the tracker forgets the last one."""
        self.owner.model.tracker.reset()
        self.owner.next_frame = 0
        return super().start()


def _codes(ids: Tensor) -> Tensor:
    """Turn ids into unit vectors (n, C) that are alike for equal ones only."""
    bits = torch.arange(CODE_BITS, device=ids.device)
    code = (ids[:, None].long() >> bits & 1).float() * 2 - 1
    return code / CODE_BITS**0.5


def clip_model_of(model: nn.Module) -> ClipModel:
    """Return what predicts the clips of a video; models of other classes are refused."""
    if isinstance(model, HostedModel):
        return model.core
    if isinstance(model, Mask2FormerVideo):
        return Mask2FormerClips(model)
    if isinstance(model, MaskTrackRCNN):
        return MaskTrackFrames(model)
    known = "TTSRN, Mask2FormerVideo or MaskTrackRCNN"
    raise UserInputError(f"model: expected {known}, got {type(model).__name__}")


def prepare_frame(model: Any, frame: Tensor) -> Tensor:
    """Normalise and pad a frame (3, H, W) in BGR of 0 to 255, on the device of a host's model."""
    if hasattr(model, "prepare_frame"):  # that of MMTracking
        return model.prepare_frame(frame)
    data = dict(inputs=[frame[None]], data_samples=None)
    return model.data_preprocessor(data)["inputs"][0, 0]
