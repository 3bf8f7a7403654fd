"""What the models of all hosts have in common: a tensor core in the host's base class."""

from typing import Any

from mmengine.model import BaseModel, initialize
from torch import Tensor

from mmttsrn.errors import input_errors
from mmttsrn.models.vis import SequenceModel
from mmttsrn.structures import SequenceTargets


class HostedModel(BaseModel):
    """Clip in, instance sequences out: backbone, neck, head, mask head, and no tracker.

    It comes before the base class of a host, and turns the host's samples into tensors and results
    into its samples. The model is ``core``, whose parts are children of this one, so that
    checkpoints name them ``backbone.``, ``neck.``, ``pixel_decoder.``, ``head.`` and
    ``mask_head.`` under every host.

    Args:
        data_preprocessor: Config of the host's ``TrackDataPreprocessor``.
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
        with input_errors("model"):
            core = SequenceModel(**parts)
        for name, part in core.named_children():
            self.add_module(name, part)
        # Not as a child, which would give every parameter a second name.
        object.__setattr__(self, "core", core)

    @input_errors("model.init_cfg")
    def init_weights(self) -> None:
        """Initialise the parts; ``init_cfg`` of the whole model has the last word."""
        init_cfg, self.init_cfg = self.init_cfg, None
        super().init_weights()
        self.init_cfg = init_cfg
        if init_cfg:
            initialize(self, init_cfg)

    def clips_of(self, inputs: Any, data_samples: Any) -> tuple[Tensor, Tensor]:
        """Preprocessed frames (N, T, 3, H, W) of a batch, and where they are padding (N, T, H, W).

        ``data_samples`` may be None: then there is no padding.
        """
        raise NotImplementedError

    def targets_of(self, data_samples: Any, with_masks: bool) -> list[SequenceTargets]:
        """Collect the true sequences of the N clips of a batch, on the CPU."""
        raise NotImplementedError

    def loss(self, inputs: Any, data_samples: Any, **kwargs: object) -> dict[str, Tensor]:
        """Losses by name of a batch of clips, preprocessed and annotated as the host has them."""
        with_masks = self.core.criterion is not None and self.core.criterion.needs_masks
        frames, padding = self.clips_of(inputs, data_samples)
        targets = [t.to(frames.device) for t in self.targets_of(data_samples, with_masks)]
        return self.core.loss(frames, padding, targets)

    def _forward(
        self, inputs: Any, data_samples: Any = None, **kwargs: object
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Raw outputs of the last decoder layer for N clips of T <= num_frames.

        They are class logits (N, T, Q, K+1), boxes (N, T, Q, 4) and mask logits
        (N, Q, T, H/4, W/4); None for what the model does not give.
        """
        predictions = self.core(*self.clips_of(inputs, data_samples))
        return predictions.logits, predictions.boxes, predictions.mask_logits()
