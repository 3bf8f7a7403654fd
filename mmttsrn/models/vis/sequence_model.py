"""The tensor core of a VIS model: clips in, instance sequences out, whatever the host."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import torch
from mmengine.model import BaseModule
from mmengine.registry import Registry
from torch import Tensor, nn

from mmttsrn.errors import UserInputError, input_errors
from mmttsrn.models.layers import resize_padding_mask
from mmttsrn.registry import MODELS, TASK_UTILS
from mmttsrn.structures import (
    ClipFeatures,
    InstanceSequences,
    MaskFunction,
    SequencePredictions,
    SequenceTargets,
)

# Of the frame that tells the channels of a backbone's maps, in pixels.
PROBE_SIZE = 64

FrameMaps = tuple[Tensor, ...]  # maps (C_i, h_i, w_i) of one frame


def _part(name: str, cfg: dict, registry: Registry = MODELS) -> Any:
    """Build a part; an exception names it."""
    with input_errors(f"model.{name}"):
        built = registry.build(cfg)
        if registry is MODELS and not isinstance(built, nn.Module):
            raise TypeError(f"expected a module, got {built!r}")
        return built


class SequenceModel(BaseModule):
    """Backbone, neck, head and mask head on tensors; neither samples nor a tracker.

    Args:
        backbone: Config of the backbone, called on (N*T, 3, H, W).
        neck: Config of the spatio-temporal neck; None to hand on the backbone's maps. It gets
            ``in_channels``, those of the backbone's maps, unless the config has them, and has
            ``embed_dims``, those of the memory.
        pixel_decoder: Config of a pixel decoder, for heads that read its maps. It gets
            ``in_channels``, of the finer maps and the memory, likewise.
        head: Config of the head, a decoder: ``head(features)`` gives the
            :class:`SequencePredictions` of each layer, and ``gives``, ``num_classes``,
            ``num_frames`` and ``num_instances`` say what to expect of them. One with ``propagate``
            goes on from the states of the frame before, and predicts videos frame by frame.
        post_processor: Config of the post-processor.
        clip_linker: Config of what joins the clips of a video longer than the head's
            ``num_frames``.
        mask_head: Config of a mask head, which gives the masks of the last layer from its states,
            or refines those that the head gives, as a sum of logits; None for neither. It gets
            ``fine_channels``, those of the finer maps, likewise.
        criterion: Config of the set loss; None for a model that only predicts. The number of
            classes is added from the head.
        clip_overlap: Frames that neighbouring clips of a video share; by default half a clip.
        fill_clips: A video shorter than a clip goes back and forth until it fills one, as the
            training sampler does it; otherwise the model gets a shorter clip.

    Raises:
        UserInputError: ``clip_overlap`` is not between 0 and ``num_frames - 1``, or the criterion
            needs what the head does not give.

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
        self.backbone = _part("backbone", backbone)
        self.neck: Any = None  # the neck gets the backbone's channels, the others those behind it
        self.neck = self._fed_part("neck", neck, "in_channels")
        self.pixel_decoder = self._fed_part("pixel_decoder", pixel_decoder, "in_channels")
        self.head = _part("head", head)
        self.mask_head = self._fed_part("mask_head", mask_head, "fine_channels")
        if min(self.head.num_classes, self.head.num_frames, self.head.num_instances) < 1:
            raise UserInputError("model.head: expected num_classes, num_frames, num_instances >= 1")
        self.gives: frozenset[str] = self.head.gives | ({"masks"} if mask_head else set())
        self.criterion = None
        if criterion:
            self.criterion = _part("criterion", criterion)
            self.criterion.check_decoder(self.head.gives, self.gives)
        self.post_processor = _part("post_processor", post_processor, TASK_UTILS)
        self.clip_linker = _part("clip_linker", clip_linker, TASK_UTILS)
        self.propagates: bool = getattr(self.head, "propagate", False)
        self.clip_length: int = 1 if self.propagates else self.head.num_frames
        self.clip_overlap = self.clip_length // 2 if clip_overlap is None else clip_overlap
        if not 0 <= self.clip_overlap < self.clip_length:
            most = self.clip_length - 1
            raise UserInputError(f"TTSRN: clip_overlap={self.clip_overlap} must be 0 to {most}")
        self.fill_clips = fill_clips
        self.has_memory = False

    def _fed_part(self, name: str, config: dict | None, key: str) -> Any:
        """Build a part with the channels of the maps that it gets, unless its config names them."""
        if not config:
            return None
        if key not in config:
            *finer, coarsest = self._map_channels
            memory = coarsest if self.neck is None else self.neck.embed_dims
            config = {**config, key: finer if key == "fine_channels" else [*finer, memory]}
        return _part(name, config)

    @cached_property
    def _map_channels(self) -> list[int]:
        """Channels of the backbone's maps, which a small black frame tells."""
        modes = [(module, module.training) for module in self.backbone.modules()]
        self.backbone.eval()
        with input_errors("model.backbone"), torch.no_grad():
            maps = self.backbone(torch.zeros(1, 3, PROBE_SIZE, PROBE_SIZE))
        for module, training in modes:
            module.training = training
        return [m.shape[1] for m in maps]

    def extract_features(self, frames: Tensor, padding_mask: Tensor) -> ClipFeatures:
        """Run all but the heads on clips (N, T, 3, H, W); ``padding_mask`` is (N, T, H, W).

        Raises:
            UserInputError: The clips are longer than ``head.num_frames``.
        """
        if frames.shape[1] > self.head.num_frames:
            raise UserInputError(
                f"model.head.num_frames={self.head.num_frames}, "
                f"but a clip has {frames.shape[1]} frames"
            )
        maps = self.backbone(frames.flatten(0, 1))
        return self._fuse([m.unflatten(0, frames.shape[:2]) for m in maps], padding_mask)

    def _fuse(self, maps: list[Tensor], padding_mask: Tensor) -> ClipFeatures:
        """Neck and pixel decoder on the backbone's maps (N, T, C_i, h_i, w_i)."""
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
        return self._decode(self.extract_features(frames, padding_mask))

    def _decode(self, features: ClipFeatures) -> list[SequencePredictions]:
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
        """
        return self.decode(frames, padding_mask)[-1]

    def loss(
        self, frames: Tensor, padding_mask: Tensor, targets: Sequence[SequenceTargets]
    ) -> dict[str, Tensor]:
        """Losses by name of a batch of clips with these true sequences; see ``forward``.

        Raises:
            UserInputError: The model has no criterion.
        """
        if self.criterion is None:
            raise UserInputError("TTSRN: training needs model.criterion; add it to the config")
        return self.criterion(self.decode(frames, padding_mask), targets)

    def frame_maps(self, frames: Tensor) -> list[FrameMaps]:
        """Backbone maps of each frame of (t, 3, H, W), which clips that share it have in common."""
        return list(zip(*self.backbone(frames), strict=True))

    def predict_clip(
        self,
        maps: Sequence[FrameMaps],
        padding_mask: Tensor,
        with_masks: bool = True,
        previous: Tensor | None = None,
    ) -> InstanceSequences:
        """Predict the sequences of one clip, by the last decoder layer.

        Args:
            maps: Those of its T frames, see :meth:`frame_maps`.
            padding_mask: (H, W) bool, true for padding.
            with_masks: Whether masks are computed.
            previous: States (Q, C) of the frame before the clip, for a head that goes on from them.
        """
        clip = [torch.stack(level)[None] for level in zip(*maps, strict=True)]
        features = self._fuse(clip, padding_mask.expand(1, len(maps), -1, -1))
        if previous is not None:
            features = replace(features, previous=previous[None])
        return self._decode(features)[-1].clip(0, with_masks)
