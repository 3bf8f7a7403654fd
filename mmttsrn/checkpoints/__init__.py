"""Checkpoint files: reading them safely, converting, publishing and fetching them."""

from mmttsrn.checkpoints.loading import OVERRIDE_FLAG, load_checkpoint_file
from mmttsrn.checkpoints.pretrained import PretrainedWeights

__all__ = ["OVERRIDE_FLAG", "PretrainedWeights", "load_checkpoint_file"]
