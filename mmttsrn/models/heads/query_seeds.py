"""Queries that begin at the middles of objects, and the boxes that keep their masks there."""

import math
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmttsrn.errors import UserInputError
from mmttsrn.registry import MODELS

# Width and height of a box at first, and how fast mask logits fall outside, per size of the box.
FIRST_SIZE = 0.3
FIRST_SLOPE = 8.0
# Logit of an empty cell at first: few cells are the middle of an object.
FIRST_LOGIT = -3.0


@dataclass(frozen=True)
class Seeds:
    """Cells of single frames that queries begin at.

    Attributes:
        content: (N, Q, C), what is there.
        places: (N, Q, C), where that is.
        centers: (N, Q, 2) as (x, y) in 0..1 of the unpadded frame.
        logits: (N, h, w), whether a cell is the middle of an object, of all cells.
    """

    content: Tensor
    places: Tensor
    centers: Tensor
    logits: Tensor


@MODELS.register_module()
class QuerySeeds(BaseModule):
    """Begins queries at the cells that look most like the middle of an object, frame by frame.

    Each query predicts a box around its cell as well. Outside of the box the logits of its mask
    fall, so that what looks like its object and lies elsewhere does not belong to it.

    Args:
        embed_dims: Channels C of queries and maps.
        num_queries: Queries Q.
        init_cfg: MMEngine initialisation.

    Source: objects as their middles: CenterNet ("Objects as Points", 2019); queries begun at cells
    of a map: two-stage Deformable DETR (ICLR 2021).
    """

    def __init__(
        self,
        embed_dims: int,
        num_queries: int,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.num_queries = num_queries
        self.tower = nn.Sequential(
            nn.Conv2d(embed_dims, embed_dims, 3, padding=1),
            nn.GroupNorm(8, embed_dims),
            nn.GELU(),
        )
        self.score = nn.Conv2d(embed_dims, 1, 1)
        self.content = nn.Linear(embed_dims, embed_dims)
        self.content_place = nn.Linear(embed_dims, embed_dims)
        self.query_place = nn.Linear(embed_dims, embed_dims)
        self.box_branch = nn.Sequential(
            nn.Linear(embed_dims, embed_dims), nn.ReLU(), nn.Linear(embed_dims, 4)
        )
        self.log_slope = nn.Parameter(torch.tensor(math.log(FIRST_SLOPE)))

    def init_weights(self) -> None:
        """Begin without middles, and with boxes around the cells."""
        nn.init.constant_(cast(Tensor, self.score.bias), FIRST_LOGIT)
        last = cast(nn.Linear, self.box_branch[-1])
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        super().init_weights()

    def forward(self, cells: Tensor, positions: Tensor, padding: Tensor) -> Seeds:
        """Choose the cells.

        Args:
            cells: Map (N, C, h, w) of single frames.
            positions: Encodings (N, C, h, w) of the cells.
            padding: (N, h, w) bool, true where a cell is padding.

        Raises:
            UserInputError: There are fewer cells than queries.
        """
        if padding[0].numel() < self.num_queries:
            raise UserInputError(
                f"model.head.num_instances={self.num_queries}: a frame has only "
                f"{padding[0].numel()} cells that queries can begin at; take fewer or larger frames"
            )
        features = self.tower(cells)
        logits = self.score(features)[:, 0]
        scores = logits.detach().float().sigmoid().masked_fill(padding, -1)
        is_peak = scores == F.max_pool2d(scores, 3, 1, 1)
        ranks = (scores + is_peak).flatten(1)  # peaks, then the other cells, then padding
        index = ranks.topk(self.num_queries).indices  # N, Q
        content, places = (
            m.flatten(2).transpose(1, 2).gather(1, index[..., None].expand(-1, -1, m.shape[1]))
            for m in (features, positions)
        )
        rows, columns = (_places(~padding, axis) for axis in (1, 2))
        centers = torch.stack([m.flatten(1).gather(1, index) for m in (columns, rows)], -1)
        return Seeds(
            self.content(content) + self.content_place(places),
            self.query_place(places),
            centers,
            logits,
        )

    def boxes(self, states: Tensor, seeds: Seeds) -> Tensor:
        """Boxes (N, Q, 4) as (cx, cy, w, h) in 0..1 of queries with these states (N, Q, C)."""
        sizes = torch.full_like(seeds.centers, FIRST_SIZE)
        first = torch.cat([seeds.centers, sizes], -1).logit(eps=0.01)
        return (first + self.box_branch(states)).sigmoid()

    def limit(self, masks: Tensor, boxes: Tensor, inside: Tensor) -> Tensor:
        """Lower mask logits (N, Q, 1, h, w) outside of boxes (N, Q, 4), of the frame ``inside``.

        Args:
            masks: Mask logits.
            boxes: A box for each.
            inside: (N, 1, 1, h, w) bool, false where a cell is padding.
        """
        frame = inside[:, 0, 0]  # N, h, w
        away = torch.zeros_like(masks[:, :, 0])
        for i, axis in ((0, 2), (1, 1)):
            center, size = boxes[..., i, None, None], boxes[..., i + 2, None, None]
            distance = (_places(frame, axis)[:, None] - center).abs() / size.clamp(min=0.02)
            away = away + (distance - 0.5).clamp(min=0)
        return masks - self.log_slope.exp() * away[:, :, None]


def _places(inside: Tensor, axis: int) -> Tensor:
    """(N, h, w) middles of cells in 0..1 of the frame ``inside`` (N, h, w) along an axis."""
    counts = inside.float().cumsum(axis)
    total = inside.sum(axis, keepdim=True).clamp(min=1)
    return (counts - 0.5) / total
