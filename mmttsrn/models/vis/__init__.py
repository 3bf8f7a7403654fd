"""The model as a whole, on tensors."""

from mmttsrn.models.vis.sequence_model import SequenceModel

__all__ = ["SequenceModel"]
