"""What programs call that use the package as a library."""

from mmttsrn.apis.init_model import init_model
from mmttsrn.apis.vis_inferencer import VISInferencer

__all__ = ["VISInferencer", "init_model"]
