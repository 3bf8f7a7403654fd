"""TT-SRN: video instance segmentation by twin transformers and sinusoidal networks.

Importing the package checks the packages it stands on and registers its scope; models, datasets
and metrics are imported by their registries on first use, so ``import mmttsrn`` stays quick.
"""

from typing import TYPE_CHECKING, Any

from mmttsrn.environment import check_environment
from mmttsrn.version import __version__

check_environment()

# Only after the check: the registry imports MMEngine.
from mmttsrn import registry  # noqa: E402

if TYPE_CHECKING:
    from mmttsrn.apis import VISInferencer

__all__ = ["VISInferencer", "__version__", "registry"]


def __getattr__(name: str) -> Any:
    """Import what programs call on first use."""
    if name == "VISInferencer":
        from mmttsrn.apis import VISInferencer

        return VISInferencer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
