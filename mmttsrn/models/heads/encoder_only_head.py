"""Queries among the tokens of a Vision Transformer, handed on from frame to frame: no decoder."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmttsrn.models.layers import run_layer
from mmttsrn.registry import MODELS
from mmttsrn.structures import ClipFeatures, MaskFunction, SequencePredictions


@dataclass(frozen=True)
class _FrameLayer:
    """What one layer predicts for a frame of N clips.

    Attributes:
        states: Queries (N, Q, C), not normalised.
        logits: Class logits (N, Q, K+1).
        embeddings: Mask embeddings (N, Q, C).
        maps: What these are multiplied with, (N, C, H', W').
    """

    states: Tensor
    logits: Tensor
    embeddings: Tensor
    maps: Tensor


@MODELS.register_module()
class EncoderOnlyHead(BaseModule):
    """Head: Q queries run through the last blocks of a Vision Transformer, beside the patches.

    Frames are decoded one after the other: the queries of a frame are the learnt ones plus a linear
    map of those that came out of the frame before, so that a query stays with its object. Of the
    first frame they are the learnt ones alone, or go on from ``ClipFeatures.previous``. A mask is
    the dot product of a query's embedding with the enlarged patches.

    In training, class and masks are predicted before each block as well. With the probability
    ``attn_mask_probs`` of the block, a query attends to the patches inside that mask only. They are
    0 without :class:`~mmttsrn.engine.hooks.MaskAnnealingHook`, and at its end, so that prediction
    needs no masks.

    Args:
        num_classes: Real classes K; the no-object class is the extra last logit.
        blocks: Config of the blocks: ``blocks(i, tokens, grid, visible)`` runs one of
            ``len(blocks)``, ``norm(tokens)`` ends them, ``embed_dims`` is their width C; such as
            :class:`~mmttsrn.hosts.transformers.VisionBlocks`.
        cls_branch: Config of the class branch; ``in_channels`` and ``out_channels`` are added.
        mask_branch: Config of the branch of mask embeddings, likewise.
        num_frames: Largest clip length T.
        num_instances: Queries Q.
        num_upscale: How often the patches are doubled in size for the masks.
        propagate: Hand queries on, which clips of two frames or more train; without, each frame is
            predicted by itself (EoMT).
        recompute: Compute activations anew in the backward pass, which saves memory.
        init_cfg: MMEngine initialisation.

    Source: VidEoMT (CVPR 2026); EoMT (CVPR 2025) for a single frame and the annealing.
    """

    gives = frozenset({"masks"})
    attn_mask_probs: Tensor

    def __init__(
        self,
        num_classes: int,
        blocks: dict,
        cls_branch: dict,
        mask_branch: dict,
        num_frames: int = 5,
        num_instances: int = 200,
        num_upscale: int = 2,
        propagate: bool = True,
        recompute: bool = False,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.num_classes = num_classes
        self.num_frames = num_frames
        self.num_instances = num_instances
        self.propagate = propagate
        self.recompute = recompute
        self.blocks = MODELS.build(blocks)
        width = self.blocks.embed_dims
        self.query_feat = nn.Embedding(num_instances, width)
        self.query_updater = nn.Linear(width, width) if propagate else None
        self.upscale = nn.Sequential(*(_Upscale(width) for _ in range(num_upscale)))
        self.cls_branch = MODELS.build(
            dict(cls_branch, in_channels=width, out_channels=num_classes + 1)
        )
        self.mask_branch = MODELS.build(dict(mask_branch, in_channels=width, out_channels=width))
        probabilities = torch.zeros(len(self.blocks))
        self.register_buffer("attn_mask_probs", probabilities, persistent=False)

    def forward(self, features: ClipFeatures) -> list[SequencePredictions]:
        """Predictions before each block, in training only, and after the last one.

        The states that come with them are what the next frame goes on from.
        """
        (prefix,) = features.fine_maps  # N, T, C, 1, P
        patches, previous = features.memory, features.previous
        frames = []
        for t in range(patches.shape[1]):
            queries = self.query_feat.weight.expand(len(patches), -1, -1)
            if self.query_updater is not None and previous is not None:
                queries = queries + self.query_updater(previous)
            others = prefix[:, t].flatten(2).transpose(1, 2), patches[:, t].flatten(1, 2)
            grid = (patches.shape[2], patches.shape[3])
            frames.append(self._decode_frame(torch.cat([queries, *others], 1), grid))
            previous = frames[-1][-1].states
        return [_join(layer) for layer in zip(*frames, strict=True)]

    def _decode_frame(self, tokens: Tensor, grid: tuple[int, int]) -> list[_FrameLayer]:
        """Run the blocks on the tokens (N, Q+P+h*w, C) of a frame."""
        layers = []
        for index in range(len(self.blocks)):
            visible = None
            if self.training:
                layers.append(self._predict(tokens, grid))
                if self.attn_mask_probs[index] > 0:
                    visible = self._visible(layers[-1], tokens.shape[1], grid, index)
            tokens = run_layer(self.blocks, index, tokens, grid, visible, recompute=self.recompute)
        return [*layers, self._predict(tokens, grid)]

    def _predict(self, tokens: Tensor, grid: tuple[int, int]) -> _FrameLayer:
        normed = self.blocks.norm(tokens)
        queries = normed[:, : self.num_instances]
        patches = normed[:, -grid[0] * grid[1] :].transpose(1, 2).unflatten(2, grid)
        return _FrameLayer(
            tokens[:, : self.num_instances],
            self.cls_branch(queries),
            self.mask_branch(queries),
            run_layer(self.upscale, patches, recompute=self.recompute),
        )

    @torch.no_grad()
    def _visible(
        self, layer: _FrameLayer, num_tokens: int, grid: tuple[int, int], index: int
    ) -> Tensor:
        """Tokens that each token attends to in a block, (N, S, S) bool with S tokens."""
        masks = torch.einsum("nqc,nchw->nqhw", layer.embeddings, layer.maps)
        inside = F.interpolate(masks, size=grid, mode="bilinear", align_corners=False) > 0
        free = torch.rand(masks.shape[:2], device=masks.device) > self.attn_mask_probs[index]
        n, q = masks.shape[:2]
        visible = torch.ones(n, num_tokens, num_tokens, dtype=torch.bool, device=masks.device)
        visible[:, :q, -grid[0] * grid[1] :] = inside.flatten(2) | free[..., None]
        return visible


class _Upscale(nn.Module):
    """Double the size of a map (B, C, h, w)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(channels, channels, 2, stride=2)
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
        self.norm = nn.LayerNorm(channels, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, h, w) to (B, C, 2*h, 2*w)."""
        x = self.conv(F.gelu(self.up(x)))
        return self.norm(x.movedim(1, -1)).movedim(-1, 1)


def _join(frames: tuple[_FrameLayer, ...]) -> SequencePredictions:
    """Put the frames of a layer together."""
    states, logits, embeddings = (
        torch.stack([getattr(frame, name) for frame in frames], 1)
        for name in ("states", "logits", "embeddings")
    )
    maps = [frame.maps for frame in frames]
    return SequencePredictions(logits, masks=_mask_function(embeddings, maps), states=states)


def _mask_function(embeddings: Tensor, maps: list[Tensor]) -> MaskFunction:
    """Masks from embeddings (N, T, Q, C) and T maps (N, C, H', W'), clip by clip."""

    def masks(rows: Tensor) -> Tensor:
        clips = []
        for clip, wanted in enumerate(embeddings):
            queries = wanted[:, rows[rows[:, 0] == clip, 1]]  # T, m, C
            pairs = zip(queries, maps, strict=True)
            clips.append(
                torch.stack([torch.einsum("qc,chw->qhw", q, m[clip]) for q, m in pairs], 1)
            )
        order = rows[:, 0].argsort(stable=True).argsort()
        return torch.cat(clips)[order]

    return masks
