"""Backbones of timm by their names."""

from typing import Any

from mmengine.model import BaseModule, initialize
from torch import Tensor

from mmttsrn.errors import UserInputError
from mmttsrn.models.layers import fix_batch_norms
from mmttsrn.registry import MODELS

STRIDES = (4, 8, 16, 32)
NOT_USABLE = "TimmBackbone needs timm and torchvision: pip install timm"


@MODELS.register_module()
class TimmBackbone(BaseModule):
    """Backbone: a model of timm, with its feature maps at strides 4, 8, 16 and 32.

    Args:
        model_name: Name of the model, such as ``"resnet50.a1_in1k"``.
        norm_eval: Keep batch norms as they are: mean and variance of the few frames of a batch are
            no replacement for those of the pre-training. False for random weights.
        init_cfg: MMEngine initialisation: ``dict(type="mmttsrn.TimmWeights")`` for timm's weights;
            those of other origin have names that begin with ``model.``. Without it they are random.
        **options: Further arguments of ``timm.create_model``.

    Raises:
        UserInputError: timm cannot be imported, or the model has no map at one of the strides.

    Source: the interface of timm 1.0.
    """

    def __init__(
        self,
        model_name: str,
        norm_eval: bool = True,
        init_cfg: dict | list[dict] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.norm_eval = norm_eval
        self.model_name = model_name
        self.options = options
        self.model = self.create()
        strides = self.model.feature_info.reduction()
        if missing := [stride for stride in STRIDES if stride not in strides]:
            raise UserInputError(
                f"model_name={model_name}: it has maps at strides {strides}, none at {missing[0]}"
            )
        last = {stride: index for index, stride in enumerate(strides)}
        self.maps = [last[stride] for stride in STRIDES]
        self.channels_last = str(getattr(self.model, "output_fmt", "NCHW")).endswith("NHWC")

    def create(self, pretrained: bool = False) -> Any:
        """Build timm's model, with its published weights or random ones."""
        try:
            import timm
        except (ImportError, RuntimeError) as error:
            # Of a torchvision that is not made for this PyTorch: operator torchvision::nms ...
            reason = str(error).splitlines()[0]
            raise UserInputError(f"{NOT_USABLE}; importing it says: {reason}") from error
        return timm.create_model(
            self.model_name, features_only=True, pretrained=pretrained, **self.options
        )

    def train(self, mode: bool = True) -> "TimmBackbone":
        """Set the mode; with ``norm_eval`` batch norms stay fixed."""
        super().train(mode)
        if self.norm_eval:
            fix_batch_norms(self)
        return self

    def init_weights(self) -> None:
        """Apply ``init_cfg`` alone: the parts are as timm made them."""
        if self.init_cfg is not None:
            initialize(self, self.init_cfg)

    def forward(self, frames: Tensor) -> tuple[Tensor, ...]:
        """Map frames (B, 3, H, W) to four maps (B, C_i, H_i, W_i), from the finest on."""
        features = self.model(frames)
        maps = (features[index] for index in self.maps)
        return tuple(m.movedim(-1, 1) if self.channels_last else m for m in maps)
