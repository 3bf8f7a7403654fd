"""Transformer decoder with learned queries for whole instance sequences."""

from typing import cast

import torch
from mmengine.model import BaseModule
from torch import nn

from mmttsrn.errors import UserInputError
from mmttsrn.models.layers import (
    SinePositionEncoding3D,
    TransformerDecoderLayer,
    init_xavier,
    run_layer,
)
from mmttsrn.registry import MODELS
from mmttsrn.structures import ClipFeatures, SequencePredictions


@MODELS.register_module()
class InstanceSequenceHead(BaseModule):
    """Head: decode T*Q queries and predict class and box of instance q in frame t.

    Args:
        num_classes: Real classes K; the no-object class is the extra last logit.
        cls_branch: Config of the class branch; ``in_channels`` and ``out_channels`` are added.
        bbox_branch: Config of the box branch, likewise. Both are shared by all layers.
        num_frames: Largest clip length T. Shorter clips use the queries of the first frames.
        num_instances: Instances Q per clip.
        embed_dims: Channels C of memory and queries.
        num_layers: Decoder layers L.
        num_heads: Attention heads.
        ffn_channels: Hidden width of the feed-forward parts.
        dropout: Dropout probability inside the layers.
        act_cfg: Activation of the feed-forward parts.
        query_init: Start of the query embeddings. ``"independent"`` draws all T*Q from a normal
            distribution, as the reference does. ``"factorised"`` draws one for each instance and
            adds the time part of the position encoding, so that the queries of an instance start
            alike and know their frame; from scratch this learns faster.
        with_cp: Recompute layer activations in the backward pass to save memory.
        init_cfg: MMEngine initialisation.

    Raises:
        UserInputError: If ``query_init`` is neither.

    Source: VisTR (CVPR 2021), section 3.2, with the sinusoidal branches of TT-SRN.
    """

    gives = frozenset({"boxes"})

    def __init__(
        self,
        num_classes: int,
        cls_branch: dict,
        bbox_branch: dict,
        num_frames: int = 36,
        num_instances: int = 10,
        embed_dims: int = 384,
        num_layers: int = 6,
        num_heads: int = 8,
        ffn_channels: int = 2048,
        dropout: float = 0.1,
        act_cfg: dict | None = None,
        query_init: str = "independent",
        with_cp: bool = False,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        if query_init not in ("independent", "factorised"):
            raise UserInputError(f"query_init={query_init!r}: expected independent or factorised")
        self.query_init = query_init
        self.num_classes = num_classes
        self.num_frames = num_frames
        self.num_instances = num_instances
        self.with_cp = with_cp
        self.query_embed = nn.Embedding(num_frames * num_instances, embed_dims)
        self.layers = nn.ModuleList(
            TransformerDecoderLayer(
                embed_dims, num_heads, ffn_channels, dropout, act_cfg or dict(type="GELU")
            )
            for _ in range(num_layers)
        )
        self.norm = nn.LayerNorm(embed_dims)
        self.cls_branch = MODELS.build(
            dict(cls_branch, in_channels=embed_dims, out_channels=num_classes + 1)
        )
        self.bbox_branch = MODELS.build(dict(bbox_branch, in_channels=embed_dims, out_channels=4))

    def init_weights(self) -> None:
        """Xavier-uniform matrices in the decoder, as in DETR; ``init_cfg`` has the last word."""
        init_xavier(self.layers)
        # The first self-attention reads zeros, so its first norm would see exactly its bias: a
        # zero bias has a gradient of 1 / sqrt(eps), which gradient clipping turns on the rest.
        first = cast(TransformerDecoderLayer, self.layers[0])
        nn.init.normal_(first.self_attn.out_proj.bias, std=0.1)
        nn.init.normal_(self.query_embed.weight)
        if self.query_init == "factorised":
            self._factorise_queries()
        super().init_weights()

    @torch.no_grad()
    def _factorise_queries(self) -> None:
        embed_dims = self.query_embed.embedding_dim
        frames = torch.zeros(1, self.num_frames, 1, 1, dtype=torch.bool)
        times = SinePositionEncoding3D(embed_dims)(frames).view(-1, 1, embed_dims)  # T, 1, C
        instances = torch.randn(self.num_instances, embed_dims)  # Q, C
        self.query_embed.weight.copy_((instances + times).flatten(0, 1))

    def forward(self, features: ClipFeatures) -> list[SequencePredictions]:
        """Logits, boxes and states of every decoder layer, the last one last.

        Raises:
            UserInputError: The model has no neck.
        """
        if features.positions is None:
            raise UserInputError("model.neck: InstanceSequenceHead needs one, got None")
        n, t = features.memory.shape[:2]
        value = features.memory.flatten(1, 3)
        key = value + features.positions.flatten(1, 3)
        mask = features.key_padding_mask
        query_pos = self.query_embed.weight[: t * self.num_instances].expand(n, -1, -1)
        x = torch.zeros_like(query_pos)
        states = []
        for layer in self.layers:
            x = run_layer(layer, x, query_pos, key, value, mask, recompute=self.with_cp)
            states.append(self.norm(x))
        stacked = torch.stack(states).unflatten(2, (t, self.num_instances))  # L, N, T, Q, C
        logits, boxes = self.cls_branch(stacked), self.bbox_branch(stacked).sigmoid()
        return [
            SequencePredictions(logits[i], boxes[i], states=stacked[i])
            for i in range(len(self.layers))
        ]
