"""Published weights of timm's models."""

from mmttsrn.hosts.timm.backbone import TimmBackbone
from mmttsrn.registry import WEIGHT_INITIALIZERS


@WEIGHT_INITIALIZERS.register_module()
class TimmWeights:
    """timm's own weights for a :class:`TimmBackbone`, fetched from the Hugging Face hub.

    They are fetched where a training begins only: a model that is loaded needs none.
    """

    def __call__(self, module: TimmBackbone) -> None:
        """Load the weights into the backbone that has this as its ``init_cfg``."""
        module.model.load_state_dict(module.create(pretrained=True).state_dict())
