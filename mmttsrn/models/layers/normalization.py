"""What normalisations share."""

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


def fix_batch_norms(module: nn.Module) -> None:
    """Keep mean and variance of all batch norms of a module as they are, in training too."""
    for part in module.modules():
        if isinstance(part, _BatchNorm):
            part.eval()
