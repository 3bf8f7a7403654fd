"""The model as MMDetection's tracking models are called."""

from mmdet.models.mot import BaseMOTModel
from mmdet.structures import TrackDataSample
from torch import Tensor

from mmttsrn.hosts.hosted_model import HostedModel
from mmttsrn.hosts.mmdet.prediction import PredictsVideos
from mmttsrn.hosts.mmdet.samples import clip_targets, padding_mask_of, prepare_frame
from mmttsrn.registry import MODELS
from mmttsrn.structures import SequenceTargets


@MODELS.register_module()
class TTSRN(PredictsVideos, HostedModel, BaseMOTModel):
    """The model under MMDetection; arguments are those of its base class.

    A batch is (N, T, 3, H, W) frames and N ``TrackDataSample`` of T frame samples.
    """

    def prepare_frame(self, frame: Tensor) -> Tensor:
        """Normalise and pad a frame (3, H, W) in BGR of 0 to 255, on the device of the model."""
        return prepare_frame(self, frame)

    def clips_of(
        self, inputs: Tensor, data_samples: list[TrackDataSample] | None
    ) -> tuple[Tensor, Tensor]:
        """Frames of a batch, and where they are padding (N, T, H, W)."""
        return inputs, padding_mask_of(inputs, data_samples)

    def targets_of(
        self, data_samples: list[TrackDataSample], with_masks: bool
    ) -> list[SequenceTargets]:
        """Collect the true sequences of a batch, on the CPU."""
        return [clip_targets(s, with_masks, self.core.head.num_instances) for s in data_samples]
