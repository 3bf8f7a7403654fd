"""Parts that come from Hugging Face Transformers, an extra of the package.

Importing this does not import Transformers, which takes seconds and may not be installed: building
one of the parts does.
"""

from mmttsrn.hosts.transformers.vision_transformer import VisionBackbone, VisionBlocks

__all__ = ["VisionBackbone", "VisionBlocks"]
