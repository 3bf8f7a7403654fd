"""TT-SRN: video instance segmentation by twin transformers and sinusoidal networks.

Importing the package checks the packages it stands on and registers its scope; models, datasets
and metrics are imported by their registries on first use, so ``import mmttsrn`` stays quick.
"""

from mmttsrn.environment import check_environment
from mmttsrn.version import __version__

check_environment()

# Only after the check: the registry imports MMEngine.
from mmttsrn import registry  # noqa: E402

__all__ = ["__version__", "registry"]
