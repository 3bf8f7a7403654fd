"""Transformer decoder whose queries are shared by the frames and attend inside their masks."""

from collections.abc import Sequence
from typing import Any, cast

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmttsrn.errors import UserInputError
from mmttsrn.models.heads.query_seeds import Seeds
from mmttsrn.models.layers import MaskedAttentionLayer, init_xavier, resize_padding_mask
from mmttsrn.registry import MODELS
from mmttsrn.structures import ClipFeatures, SequencePredictions, dense_masks

# Of a query that is an object for certain.
ONE_CLASS_LOGITS = (20.0, 0.0)


@MODELS.register_module()
class MaskedAttentionHead(BaseModule):
    """Head: Q queries, each an instance in all frames, with class and masks from every layer.

    A query attends to the cells of all frames together, of one map of the pixel decoder in each
    layer, and only where its own mask of the layer before is foreground; a query whose mask is
    empty attends everywhere. A mask is the dot product of the query's mask embedding with the mask
    features. Class and masks of the initial queries come first, then those of the L layers.

    Args:
        num_classes: Real classes K; the no-object class is the extra last logit.
        cls_branch: Config of the class branch; ``in_channels`` and ``out_channels`` are added.
            None, for one class, leaves it out: every query is an object, and ``quality_branch``
            says how well it is found.
        mask_branch: Config of the branch of mask embeddings, likewise.
        positional_encoding: Config of a module that maps a padding mask (N, T, h, w) to encodings
            (N, T, C, h, w), such as ``mmdet.SinePositionalEncoding3D``.
        num_frames: Largest clip length T.
        num_instances: Queries Q.
        embed_dims: Channels C of queries and of the levels.
        mask_channels: Channels C_m of the mask features.
        layer_levels: The level, counted from the coarsest, that each of the L layers attends to.
        num_heads: Attention heads.
        ffn_channels: Hidden width of the feed-forward parts.
        dropout: Dropout probability inside the layers.
        act_cfg: Activation of the feed-forward parts.
        pool_features: Let the class branch see, besides the query, the mean of the mask features
            inside the mask and along its edge.
        pixel_classes: Classify every cell of the finest level and of the mask features as well, in
            training, for a dense loss.
        mask_padding: Keep queries from attending to padding, and padding out of the pooled mask
            features. Mask2Former lets queries attend to it.
        quality_branch: Config of a branch that predicts the IoU of each mask with its object, from
            what the class branch reads; likewise.
        mask_positions: Add encodings of the place in the frame, projected, to the mask features, so
            that an embedding can tell where its object is as well as what it looks like.
        zero_init_residual: Begin with layers that leave the queries as they are.
        seeds: Config of a module that begins queries at cells of the finest level and keeps masks
            in boxes, such as :class:`QuerySeeds`, for single frames (``num_frames=1``);
            ``embed_dims`` and ``num_queries`` are added. None begins with the same queries in all
            clips.
        init_cfg: MMEngine initialisation.

    Source: Mask2Former (CVPR 2022), section 3.2, and Mask2Former for video (2021); with the
    sinusoidal branches of TT-SRN. Positions in the features of masks: SOLO (ECCV 2020).
    """

    def __init__(
        self,
        num_classes: int,
        cls_branch: dict | None,
        mask_branch: dict,
        positional_encoding: dict,
        num_frames: int = 8,
        num_instances: int = 100,
        embed_dims: int = 256,
        mask_channels: int = 256,
        layer_levels: Sequence[int] = (0, 1, 2) * 3,
        num_heads: int = 8,
        ffn_channels: int = 2048,
        dropout: float = 0.0,
        act_cfg: dict | None = None,
        pool_features: bool = False,
        pixel_classes: bool = False,
        mask_padding: bool = True,
        quality_branch: dict | None = None,
        mask_positions: bool = False,
        zero_init_residual: bool = False,
        seeds: dict | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        given = {
            "boxes": seeds,
            "masks": True,
            "pixel_logits": pixel_classes,
            "quality": quality_branch,
            "seed_logits": seeds,
        }
        self.gives = frozenset(name for name, is_given in given.items() if is_given)
        self.num_classes = num_classes
        self.num_frames = num_frames
        self.num_instances = num_instances
        self.num_heads = num_heads
        self.layer_levels = tuple(layer_levels)
        self.mask_padding = mask_padding
        self.zero_init_residual = zero_init_residual
        self.seeds: Any = None
        if seeds is None:
            self.query_feat = nn.Embedding(num_instances, embed_dims)
            self.query_embed = nn.Embedding(num_instances, embed_dims)
        elif num_frames == 1:
            self.seeds = MODELS.build(dict(seeds, embed_dims=embed_dims, num_queries=num_instances))
        else:
            raise UserInputError(f"seeds with num_frames={num_frames}: expected num_frames=1")
        self.level_embed = nn.Embedding(max(self.layer_levels) + 1, embed_dims)
        self.positional_encoding = MODELS.build(positional_encoding)
        self.layers = nn.ModuleList(
            MaskedAttentionLayer(
                embed_dims, num_heads, ffn_channels, dropout, act_cfg or dict(type="ReLU")
            )
            for _ in self.layer_levels
        )
        self.norm = nn.LayerNorm(embed_dims)
        self.position_proj = nn.Linear(embed_dims, mask_channels) if mask_positions else None
        self.pool_proj = None
        if pool_features:
            # Normalised, because a sine branch reads it and mask features have any size.
            self.pool_proj = nn.Sequential(
                nn.LayerNorm(2 * mask_channels), nn.Linear(2 * mask_channels, embed_dims)
            )
        if cls_branch is None and (num_classes != 1 or quality_branch is None):
            raise UserInputError("cls_branch=None: expected num_classes=1 and a quality_branch")
        self.cls_branch = _branch(cls_branch, embed_dims, num_classes + 1)
        self.quality_branch = _branch(quality_branch, embed_dims, 1)
        self.mask_branch = _branch(mask_branch, embed_dims, mask_channels)
        self.pixel_branches = nn.ModuleList(
            nn.Conv2d(channels, num_classes + 1, 1)
            for channels in ((embed_dims, mask_channels) if pixel_classes else ())
        )

    def init_weights(self) -> None:
        """Xavier-uniform matrices in the decoder, as in DETR; ``init_cfg`` has the last word."""
        init_xavier(self.layers)
        if self.zero_init_residual:
            for layer in self.layers:
                cast(MaskedAttentionLayer, layer).zero_residuals()
        super().init_weights()

    def forward(self, features: ClipFeatures) -> list[SequencePredictions]:
        """Logits and masks of the initial queries and after every layer, the last one last.

        Raises:
            UserInputError: The model has no pixel decoder.
        """
        mask_features = features.mask_features
        if mask_features is None:
            raise UserInputError("model.pixel_decoder: MaskedAttentionHead needs one, got None")
        keys = {level: self._keys(features, level) for level in sorted(set(self.layer_levels))}
        n = len(mask_features)
        seeds = self._seed(features)
        if seeds is None:
            x = self.query_feat.weight.expand(n, -1, -1)
            query_pos = self.query_embed.weight.expand(n, -1, -1)
        else:
            x, query_pos = seeds.content, seeds.places
        outside = self._padding(features, mask_features.shape[-2:])  # N, T, h, w
        inside = ~outside[:, None]
        if self.position_proj is not None:
            frames = outside.flatten(0, 1)[:, None]  # without time: an object moves
            positions = self.positional_encoding(frames).to(mask_features.dtype).movedim(2, -1)
            positions = self.position_proj(positions).movedim(-1, 2)
            mask_features = mask_features + positions.view_as(mask_features)
        layers = [self._predict(x, mask_features, inside, seeds)]
        for layer, level in zip(self.layers, self.layer_levels, strict=True):
            value, pos, padding = keys[level]
            blocked = self._blocked(layers[-1][2], padding)
            x = layer(x, query_pos, value + pos, value, blocked)
            layers.append(self._predict(x, mask_features, inside, seeds))
        t = mask_features.shape[1]
        with_pixels = self.training and len(self.pixel_branches) > 0
        maps = (features.levels[-1], mask_features)
        pixel_logits = self._classify_pixels(maps) if with_pixels else ()
        return [
            SequencePredictions(
                logits[:, None].expand(-1, t, -1, -1),
                boxes=None if boxes is None else boxes[:, None],
                masks=dense_masks(masks),
                states=state[:, None].expand(-1, t, -1, -1),
                pixel_logits=pixel_logits if index == len(self.layers) else (),
                quality=None if quality is None else quality[:, None].expand(-1, t, -1),
                seed_logits=seeds.logits if seeds and index == len(self.layers) else None,
            )
            for index, (state, logits, masks, quality, boxes) in enumerate(layers)
        ]

    def _seed(self, features: ClipFeatures) -> Seeds | None:
        """Cells of the finest level that queries begin at."""
        if self.seeds is None:
            return None
        cells = features.levels[-1]
        padding = self._padding(features, cells.shape[-2:])
        positions = self.positional_encoding(padding).to(cells.dtype)
        return self.seeds(cells[:, 0], positions[:, 0], padding[:, 0])

    def _keys(self, features: ClipFeatures, level: int) -> tuple[Tensor, Tensor, Tensor]:
        """Values and encodings (N, T*h*w, C) of the cells of a level, and their padding."""
        cells = features.levels[level]
        padding = self._padding(features, cells.shape[-2:])
        pos = self.positional_encoding(padding).to(cells.dtype)  # N, T, C, h, w
        value, pos = (m.movedim(2, -1).flatten(1, 3) for m in (cells, pos))
        return value + self.level_embed.weight[level], pos, padding

    def _predict(
        self, x: Tensor, mask_features: Tensor, inside: Tensor, seeds: Seeds | None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor | None, Tensor | None]:
        """States, logits (N, Q, K+1), masks (N, Q, T, h, w), quality, boxes of queries."""
        state = self.norm(x)
        classified = state
        masks = torch.einsum("nqc,ntchw->nqthw", self.mask_branch(state), mask_features)
        boxes = None
        if self.seeds is not None:
            boxes = self.seeds.boxes(state, seeds)
            masks = self.seeds.limit(masks, boxes, inside)
        if self.pool_proj is not None:
            classified = state + self.pool_proj(_pool(masks.detach(), mask_features, inside))
        if self.cls_branch is None:
            logits = classified.new_tensor(ONE_CLASS_LOGITS).expand(*x.shape[:2], -1)
        else:
            logits = self.cls_branch(classified)
        quality = None if self.quality_branch is None else self.quality_branch(classified)[..., 0]
        return state, logits, masks, quality, boxes

    def _padding(self, features: ClipFeatures, size: Sequence[int]) -> Tensor:
        """(N, T, h, w) bool cells of a map that queries do not attend to."""
        padding = resize_padding_mask(features.padding_mask, size)
        return padding if self.mask_padding else torch.zeros_like(padding)

    def _blocked(self, masks: Tensor, padding: Tensor) -> Tensor:
        """Cells that a query does not attend to: (N*heads, Q, T*h*w) bool."""
        size = padding.shape[-2:]
        resized = F.interpolate(
            masks.detach().flatten(0, 1), size=size, mode="bilinear", align_corners=False
        )
        padding = padding.flatten(1)[:, None]
        blocked = (resized < 0).view(*masks.shape[:2], -1) | padding
        blocked = torch.where(blocked.all(-1, keepdim=True), padding, blocked)
        return blocked.repeat_interleave(self.num_heads, 0)

    def _classify_pixels(self, maps: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Class logits (N, T, K+1, h, w) of the cells of the finest level and the mask features."""
        return tuple(
            branch(m.flatten(0, 1)).unflatten(0, m.shape[:2])
            for branch, m in zip(self.pixel_branches, maps, strict=True)
        )


def _branch(config: dict | None, in_channels: int, out_channels: int) -> Any:
    """Build a branch from its config and channels; None without one."""
    if config is None:
        return None
    return MODELS.build(dict(config, in_channels=in_channels, out_channels=out_channels))


def _pool(masks: Tensor, maps: Tensor, inside: Tensor) -> Tensor:
    """Means of maps (N, T, C, h, w) inside masks (N, Q, T, h, w) and at their edges: (N, Q, 2C).

    Cells that are not ``inside`` (N, 1, T, h, w) are left out.
    """
    pooled = []
    # Sums over the cells of a clip do not fit into float16.
    with torch.autocast(maps.device.type, enabled=False):
        mask, maps = masks.float().sigmoid(), maps.float()
        for share in (mask, 4 * mask * (1 - mask)):
            weights = share * inside
            total = weights.sum((2, 3, 4))[..., None].clamp(min=1)
            pooled.append(torch.einsum("nqthw,ntchw->nqc", weights, maps) / total)
    return torch.cat(pooled, -1)
