"""The model as MMDetection's tracking models are called."""

from inspect import signature
from typing import Any

import torch
from mmdet.models.mot import BaseMOTModel
from mmdet.structures import TrackDataSample
from mmengine.model import initialize
from torch import Tensor

from mmttsrn.errors import UserInputError
from mmttsrn.hosts.mmdet.samples import (
    frame_sizes_of,
    padding_mask_of,
    store_results,
    targets_of,
)
from mmttsrn.models.vis import SequenceModel
from mmttsrn.models.vis.sequence_model import FrameReader
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
            self._predict_video(len(video), video.__getitem__, sample)
        return data_samples

    def test_step(self, data: dict) -> list[TrackDataSample]:
        """Predict the videos that the data loader gives, see :meth:`predict`.

        The frames of a clip are preprocessed when it is predicted: those of a long video would
        take four times as much memory, and more than once.
        """
        for video, sample in zip(data["inputs"], data["data_samples"], strict=True):

            def read(index: Tensor, video: Tensor = video) -> Tensor:
                clip = dict(inputs=[video[index]], data_samples=None)
                return self.data_preprocessor(clip)["inputs"][0]

            self._predict_video(len(video), read, sample)
        return data["data_samples"]

    val_step = test_step

    @torch.no_grad()
    def _predict_video(self, num_frames: int, read: FrameReader, sample: TrackDataSample) -> None:
        padded = read(torch.tensor([0])).shape[-2:]
        results = self.core.predict(num_frames, read, frame_sizes_of(sample, padded))
        store_results(sample, results)

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
