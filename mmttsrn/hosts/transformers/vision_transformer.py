"""Vision Transformers of Transformers in two parts: a backbone, and last blocks for a head."""

from typing import Any

from mmengine.model import BaseModule
from torch import Tensor, nn

from mmttsrn.errors import UserInputError
from mmttsrn.models.layers import run_layer
from mmttsrn.registry import MODELS

# Models of Transformers with the two kinds of Vision Transformer, by ``model_type``.
CLASSES = {
    "videomt": ("VideomtConfig", "VideomtForUniversalSegmentation"),
    "eomt_dinov3": ("EomtDinov3Config", "EomtDinov3ForUniversalSegmentation"),
}
NOT_INSTALLED = 'VidEoMT needs Transformers from 5.8 on: pip install "transformers>=5.8"'


class _VisionPart(BaseModule):
    """Some layers of a Vision Transformer, and the rotary positions of those that have them."""

    def __init__(self, vit: dict, num_layers: int, init_cfg: dict | list[dict] | None) -> None:
        super().__init__(init_cfg=init_cfg)
        self.model = _build(vit, num_layers)
        self.layers: Any = self.model.layers
        self.patch_size: int = vit["patch_size"]
        # Without parameters: DINOv3 turns queries and keys, DINOv2 adds embeddings to patches.
        self.rotary = getattr(self.model, "rope_embeddings", None)

    def _keep_only(self, name: str) -> None:
        """Keep this child of the model of Transformers, and let the rest go."""
        setattr(self, name, getattr(self.model, name))
        del self.model

    def _run_layer(
        self, layer: nn.Module, tokens: Tensor, grid: tuple[int, int], visible: Tensor | None
    ) -> Tensor:
        options: dict[str, Any] = dict(attention_mask=visible)
        if self.rotary is not None:
            height, width = (cells * self.patch_size for cells in grid)
            # It reads nothing but the size.
            frame = tokens.new_empty(1).expand(1, 1, height, width)
            options["position_embeddings"] = self.rotary(frame)
        return layer(tokens, **options)


@MODELS.register_module()
class VisionBackbone(_VisionPart):
    """Backbone: the first blocks of a plain Vision Transformer.

    Args:
        vit: Config of the whole Vision Transformer by the keys of Transformers: ``model_type``
            (``"videomt"`` is that of DINOv2, ``"eomt_dinov3"`` that of DINOv3), ``hidden_size``,
            ``num_hidden_layers``, ``num_attention_heads``, ``image_size``, ``patch_size``,
            ``num_blocks`` (the last ones, which the head runs), ...
        recompute: Compute activations anew in the backward pass, which saves memory.
        init_cfg: MMEngine initialisation.

    Raises:
        UserInputError: Transformers is not installed.

    Source: VidEoMT (CVPR 2026); DINOv2 with registers (2023), DINOv3 (2025).
    """

    def __init__(
        self, vit: dict, recompute: bool = False, init_cfg: dict | list[dict] | None = None
    ) -> None:
        count = vit["num_hidden_layers"] - vit["num_blocks"]
        super().__init__(vit, count, init_cfg)
        self.recompute = recompute
        self._keep_only("embeddings")
        del self.embeddings.mask_token  # of the pre-training; no step here would give it a gradient
        self.image_size: int = vit["image_size"]

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Map frames (B, 3, H, W) to prefix tokens (B, C, 1, P) and patches (B, C, h, w).

        Raises:
            UserInputError: The frames have another size than the positions that were learnt.
        """
        size = (frames.shape[-2], frames.shape[-1])
        if size[0] % self.patch_size or size[1] % self.patch_size:
            raise UserInputError(
                f"model.backbone.vit.patch_size={self.patch_size}: frames of {size[1]}x{size[0]} "
                "are no multiple of it; set the scale of Resize, or pad_size_divisor"
            )
        if self.rotary is None and size != (self.image_size, self.image_size):
            raise UserInputError(
                f"model.backbone.vit.image_size={self.image_size}: expected square frames of this "
                f"size, got {size[1]}x{size[0]}; set the scale of Resize, with keep_ratio=False"
            )
        grid = (size[0] // self.patch_size, size[1] // self.patch_size)
        tokens = self.embeddings(frames)
        for layer in self.layers:
            tokens = run_layer(self._run_layer, layer, tokens, grid, None, recompute=self.recompute)
        tokens = tokens.transpose(1, 2)
        num_prefix = tokens.shape[2] - grid[0] * grid[1]
        return tokens[:, :, None, :num_prefix], tokens[:, :, num_prefix:].unflatten(2, grid)


@MODELS.register_module()
class VisionBlocks(_VisionPart):
    """The last blocks of a plain Vision Transformer, and its norm, for a head to run.

    Args:
        vit: As for :class:`VisionBackbone`.
        init_cfg: MMEngine initialisation.

    Attributes:
        embed_dims: Channels C of a token.

    Raises:
        UserInputError: Transformers is not installed.
    """

    def __init__(self, vit: dict, init_cfg: dict | list[dict] | None = None) -> None:
        super().__init__(vit, vit["num_blocks"], init_cfg)
        self._keep_only("layernorm")
        self.embed_dims: int = vit["hidden_size"]

    def __len__(self) -> int:
        return len(self.layers)

    def forward(
        self, index: int, tokens: Tensor, grid: tuple[int, int], visible: Tensor | None = None
    ) -> Tensor:
        """Run a block.

        Args:
            index: Its number.
            tokens: (N, S, C), the patches last.
            grid: Rows and columns of the patches.
            visible: (N, S, S) bool, which tokens each token attends to; None for all.
        """
        mask = None if visible is None else visible[:, None]
        return self._run_layer(self.layers[index], tokens, grid, mask)

    def norm(self, tokens: Tensor) -> Tensor:
        """Normalise tokens (..., C) for predictions."""
        return self.layernorm(tokens)


def _build(vit: dict, num_layers: int) -> nn.Module:
    """Build the model of Transformers with some of the layers, and random weights."""
    kind = vit.get("model_type")
    if kind not in CLASSES:
        raise UserInputError(f"vit.model_type: expected {' or '.join(CLASSES)}, got {kind!r}")
    try:
        import transformers

        config_class, model_class = (getattr(transformers, name) for name in CLASSES[kind])
    except (ImportError, AttributeError) as error:
        raise UserInputError(NOT_INSTALLED) from error
    options = {key: value for key, value in vit.items() if key != "model_type"}
    options |= dict(num_hidden_layers=num_layers, num_queries=1)
    if kind == "eomt_dinov3":
        # Drawn at each call, which would give the blocks of a frame different positions.
        options["pos_embed_rescale"] = None
    return model_class(config_class(**options))
