"""Scenes through a VidEoMT whose weights are set by hand: ids outlast and outnumber its queries.

A query sees one colour. An object is a block of patches with a colour, which is the query that sees
it, and a texture, which its query takes on by attention, and hands on to the next frame.
"""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from scipy.linalg import hadamard
from tiny_videomt import videomt_config
from torch import Tensor

from mmttsrn.apis.building import build_from_config
from mmttsrn.hosts.mmdet import TTSRN
from mmttsrn.inference import VideoPredictor
from mmttsrn.structures import FrameSizes, SequenceResults

PATCH, GRID = 8, 6
SIZE = PATCH * GRID
SIZES = FrameSizes((SIZE, SIZE), (SIZE, SIZE), (SIZE, SIZE))
COLOURS, TEXTURES = 3, 21
WIDTH = 32
TEXTURE_DIMS = slice(8, 8 + TEXTURES)
# Where patches have their colour, and queries the one that they look for; of no colour are patches
# without an object, which a dimension of all patches keeps from being normalised to noise.
COLOUR_DIMS, WANTED_DIMS, IS_PATCH = slice(0, COLOURS), slice(4, 4 + COLOURS), 31
VIT = dict(
    model_type="videomt",
    hidden_size=WIDTH,
    num_hidden_layers=1,
    num_attention_heads=1,
    image_size=SIZE,
    patch_size=PATCH,
    num_blocks=1,
    num_register_tokens=0,
)
# Textures of +-1 that are orthogonal to each other and to a plain patch.
PATTERNS = torch.tensor(hadamard(PATCH**2)[1 : TEXTURES + 1], dtype=torch.float)


@dataclass
class Planted:
    """An object that is there in some frames.

    Attributes:
        colour: The query that sees it.
        texture: What it looks like.
        frames: When it is there.
    """

    colour: int
    texture: int
    frames: list[int]


@pytest.fixture(scope="module")
def model() -> TTSRN:
    """One block of attention: queries take on the texture of what has their colour."""
    pytest.importorskip("transformers")
    cfg = videomt_config(VIT, num_classes=1, num_instances=COLOURS, num_upscale=0)
    cfg.model.head.mask_branch.hidden_channels = []
    model = build_from_config(cfg)
    for parameter in model.parameters():
        torch.nn.init.zeros_(parameter)
    block, head = model.head.blocks.layers[0], model.head
    projection = model.backbone.embeddings.patch_embeddings.projection
    with torch.no_grad():
        for colour in range(COLOURS):
            projection.weight[colour, colour] = 2 / PATCH**2
        projection.weight[TEXTURE_DIMS] = PATTERNS.view(TEXTURES, 1, PATCH, PATCH) / PATCH**2
        projection.bias[IS_PATCH] = 4
        for norm in (block.norm1, head.blocks.layernorm):
            norm.weight.fill_(1)
        block.layer_scale1.lambda1.fill_(1)
        # What a norm adds to all colours is no colour, and to all textures no texture.
        contrast = 1.5 * torch.eye(COLOURS) - 0.5
        textures = torch.eye(TEXTURES) - 1 / TEXTURES
        block.attention.q_proj.weight[COLOUR_DIMS, WANTED_DIMS] = 30 * contrast
        block.attention.k_proj.weight[COLOUR_DIMS, COLOUR_DIMS] = torch.eye(COLOURS)
        block.attention.v_proj.weight[TEXTURE_DIMS, TEXTURE_DIMS] = 3 * textures
        block.attention.out_proj.weight.copy_(torch.eye(WIDTH))
        head.query_feat.weight[:, WANTED_DIMS] = torch.eye(COLOURS)
        head.query_updater.weight[TEXTURE_DIMS, TEXTURE_DIMS] = 0.3 * torch.eye(TEXTURES)
        head.mask_branch.layers[0].weight[COLOUR_DIMS, WANTED_DIMS] = contrast
        head.mask_branch.layers[0].bias[IS_PATCH] = -0.2
        head.cls_branch.layers[0].bias[0] = 5
    return model


def draw(objects: list[Planted], num_frames: int) -> Tensor:
    """Frames (T, 3, H, W): each colour has two columns of patches of its own."""
    frames = torch.zeros(num_frames, 3, SIZE, SIZE)
    for item in objects:
        patch = 1 + PATTERNS[item.texture].view(PATCH, PATCH)
        for frame in item.frames:
            top = PATCH * (frame % (GRID - 1))
            left = 2 * PATCH * item.colour
            frames[frame, item.colour, top : top + 16, left : left + 16] = patch.repeat(2, 2)
    return frames


def ids_of(results: SequenceResults, objects: list[Planted]) -> list[set[int]]:
    """Ids that each object has over its frames."""
    seen: list[set[int]] = []
    for item in objects:
        ids = set()
        for frame in item.frames:
            masks, x = results.frame_masks(frame), 2 * PATCH * item.colour + 4
            there = [
                i for i, mask in zip(results.ids.tolist(), masks, strict=True) if mask[:, x].any()
            ]
            ids |= {*there}
        seen.append(ids)
    return seen


def scene(seed: int, num_frames: int = 240) -> list[Planted]:
    """An object of each texture, a colour's one after the other; some come back."""
    generator = np.random.default_rng(seed)
    objects = []
    for colour in range(COLOURS):
        start, mine = int(generator.integers(4)), []
        for texture in range(colour, TEXTURES, COLOURS):
            stop = start + int(generator.integers(5, 15))
            mine.append(Planted(colour, texture, [*range(start, stop)]))
            start = stop + int(generator.integers(0, 4))
            if len(mine) > 1 and generator.random() < 0.5:
                stop = start + int(generator.integers(4, 8))
                mine[-2].frames += range(start, stop)
                start = stop + int(generator.integers(0, 4))
        objects += mine
    assert max(frame for item in objects for frame in item.frames) < num_frames
    return objects


@pytest.mark.parametrize("seed", range(5))
def test_ids_are_constant_and_unique(model: TTSRN, seed: int) -> None:
    objects = scene(seed)
    results = VideoPredictor(model.core, SIZES).predict(draw(objects, 240))
    ids = ids_of(results, objects)
    assert [len(i) for i in ids] == [1] * len(objects), ids
    assert len(set.union(*ids)) == len(objects) == TEXTURES


def test_memory_of_a_predictor_does_not_grow(model: TTSRN) -> None:
    objects = scene(0)
    predictor = VideoPredictor(model.core, SIZES)
    frames = draw(objects, 240)
    sizes = []
    for _ in range(4):
        for frame in frames:
            predictor.step(frame)
        sizes.append(len(predictor.link.lost))
    assert max(sizes[1:]) <= sizes[0] + 2 * COLOURS
