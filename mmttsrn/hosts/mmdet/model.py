"""The model as MMDetection's tracking models are called."""

from collections.abc import Iterator
from inspect import signature
from itertools import chain
from typing import Any

from mmdet.models.mot import BaseMOTModel
from mmdet.structures import TrackDataSample
from mmengine.model import initialize
from torch import Tensor

from mmttsrn.errors import UserInputError
from mmttsrn.hosts.mmdet.samples import (
    frame_sizes_of,
    padding_mask_of,
    prepare_frame,
    store_results,
    targets_of,
)
from mmttsrn.inference import VideoPredictor
from mmttsrn.models.vis import SequenceModel
from mmttsrn.registry import MODELS


@MODELS.register_module()
class TTSRN(BaseMOTModel):
    """Clip in, instance sequences out: backbone, neck, head, mask head, and no tracker.

    This class only turns MMDetection's samples into tensors and results into its samples. The
    model is ``core``, whose parts are children of this one, so that checkpoints name them
    ``backbone.``, ``neck.``, ``pixel_decoder.``, ``head.`` and ``mask_head.``.

    Args:
        data_preprocessor: Config of mmdet's ``TrackDataPreprocessor``.
        init_cfg: MMEngine initialisation of the whole model; it comes after that of the parts.
        **parts: Arguments of :class:`~mmttsrn.models.SequenceModel`: ``backbone``, ``neck``,
            ``pixel_decoder``, ``head``, ``mask_head``, ``criterion``, ``post_processor``,
            ``clip_linker``, ``clip_overlap``, ``fill_clips``.

    Raises:
        UserInputError: An argument is missing, unknown or of no use with the others.
    """

    init_cfg: dict | list[dict] | None
    core: SequenceModel

    def __init__(
        self,
        data_preprocessor: dict | None = None,
        init_cfg: dict | list[dict] | None = None,
        **parts: Any,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        try:
            signature(SequenceModel).bind(**parts)
        except TypeError as error:
            raise UserInputError(f"model: {error}; check the keys of model in the config") from None
        core = SequenceModel(**parts)
        for name, part in core.named_children():
            self.add_module(name, part)
        # Not as a child, which would give every parameter a second name.
        object.__setattr__(self, "core", core)

    def init_weights(self) -> None:
        """Initialise the parts; ``init_cfg`` of the whole model has the last word."""
        init_cfg, self.init_cfg = self.init_cfg, None
        super().init_weights()
        self.init_cfg = init_cfg
        if init_cfg:
            initialize(self, init_cfg)

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
        """
        with_masks = self.core.criterion is not None and self.core.criterion.needs_masks
        targets = targets_of(data_samples, inputs.device, with_masks, self.core.head.num_instances)
        return self.core.loss(inputs, padding_mask_of(inputs, data_samples), targets)

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
            self._predict_video((prepare_frame(self, frame) for frame in video), sample)
        return data["data_samples"]

    val_step = test_step

    def _predict_video(self, frames: Iterator[Tensor], sample: TrackDataSample) -> None:
        first = next(frames)
        predictor = VideoPredictor(self.core, frame_sizes_of(sample, first.shape[-2:]))
        store_results(sample, predictor.predict(chain([first], frames)))

    def _forward(
        self, inputs: Tensor, data_samples: list[TrackDataSample] | None = None, **kwargs: object
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Raw outputs of the last decoder layer for clips (N, T, 3, H, W), T <= num_frames.

        Returns:
            Class logits (N, T, Q, K+1), boxes (N, T, Q, 4) and mask logits (N, Q, T, H/4, W/4);
            None for what the model does not give.
        """
        predictions = self.core(inputs, padding_mask_of(inputs, data_samples))
        return predictions.logits, predictions.boxes, predictions.mask_logits()
