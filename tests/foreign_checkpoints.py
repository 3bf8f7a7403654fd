"""Weights as other programs publish them: names and shapes, values from named seeds."""

import zlib
from collections.abc import Iterator, Mapping

import torch
from golden import load_json
from torch import Tensor

RESNET_BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
Shapes = Iterator[tuple[str, tuple[int, ...]]]


def vistr_state(
    depth: int = 50,
    width: int = 384,
    ffn: int = 2048,
    layers: int = 6,
    queries: int = 360,
    class_rows: int = 42,
) -> dict[str, Tensor]:
    """A VisTR with masks; frozen batch norms have no counters."""
    detector = _detector(depth, width, ffn, layers, queries, class_rows)
    shapes = {f"vistr.{name}": shape for name, shape in detector}
    shapes.update(_mask_attention_and_fpn(width))
    shapes.update(
        {
            "mask_head.conv_offset.weight": (18, width // 8, 1, 1),
            "mask_head.conv_offset.bias": (18,),
            "mask_head.dcn.weight": (width // 16, width // 8, 3, 3),
        }
    )
    a, b = width // 16, width // 32
    for i, (c_in, c_out, size) in {0: (a, b, 3), 3: (b, b, 3), 6: (b, b, 3), 9: (b, 1, 1)}.items():
        shapes.update(_weight_and_bias(f"insmask_head.{i}", c_out, c_in, size, size, size))
    for i in (1, 4, 7):
        shapes.update(_weight_and_bias(f"insmask_head.{i}", b))
    return _draw(shapes)


def detr_state(
    width: int = 256,
    ffn: int = 2048,
    layers: int = 6,
    masks: bool = False,
    depth: int = 50,
    queries: int = 100,
    class_rows: int = 92,
) -> dict[str, Tensor]:
    """A DETR on COCO; with masks it is wrapped as ``detr``."""
    prefix = "detr." if masks else ""
    detector = _detector(depth, width, ffn, layers, queries, class_rows)
    shapes = {prefix + name: shape for name, shape in detector}
    if masks:
        shapes.update(_mask_attention_and_fpn(width))
        shapes.update(_weight_and_bias("mask_head.lay5", width // 16, width // 8, 3, 3))
        shapes.update(_weight_and_bias("mask_head.out_lay", 1, width // 16, 3, 3))
    return _draw(shapes)


def official_twins(arch: str) -> dict[str, Tensor]:
    """Names and shapes of the authors' ImageNet checkpoints, which timm shares; no values."""
    keys = load_json("twins_svt/official_keys.json")["models"][arch]["keys"]
    return {name: torch.empty(shape, device="meta") for name, shape in keys.items()}


def as_mmpretrain(twins: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A Twins-SVT of its authors under the names of MMPretrain's classifier."""
    state = {}
    for name, tensor in twins.items():
        parts = name.split(".")
        match parts:
            case ["head", *rest]:
                parts = ["head", "fc", *rest]
            case ["norm", *rest]:
                parts = ["backbone", "norm_after_stage3", *rest]
            case ["norm_list", stage, *rest]:
                parts = ["backbone", f"norm_after_stage{stage}", *rest]
            case ["pos_block", stage, "proj", "0", *rest]:
                parts = ["backbone", "position_encodings", stage, "proj", *rest]
            case ["patch_embeds", stage, "proj", *rest]:
                parts = ["backbone", "patch_embeds", stage, "projection", *rest]
            case ["blocks", stage, block, "mlp", "fc1", *rest]:
                parts = ["backbone", "stages", stage, block, "ffn", "layers", "0", "0", *rest]
            case ["blocks", stage, block, "mlp", "fc2", *rest]:
                parts = ["backbone", "stages", stage, block, "ffn", "layers", "1", *rest]
            case ["blocks", *rest]:
                parts = ["backbone", "stages", *rest]
            case _:
                parts = ["backbone", *parts]
        state[".".join(parts)] = tensor
    return state


def _detector(
    depth: int, width: int, ffn: int, layers: int, queries: int, class_rows: int
) -> Shapes:
    yield from ((f"backbone.0.body.{name}", shape) for name, shape in _resnet(depth))
    for i in range(layers):
        attentions = {"encoder": ["self_attn"], "decoder": ["self_attn", "multihead_attn"]}
        for half, names in attentions.items():
            layer = f"transformer.{half}.layers.{i}"
            for attention in names:
                yield f"{layer}.{attention}.in_proj_weight", (3 * width, width)
                yield f"{layer}.{attention}.in_proj_bias", (3 * width,)
                yield from _weight_and_bias(f"{layer}.{attention}.out_proj", width, width)
            yield from _weight_and_bias(f"{layer}.linear1", ffn, width)
            yield from _weight_and_bias(f"{layer}.linear2", width, ffn)
            for norm in range(len(names) + 1):
                yield from _weight_and_bias(f"{layer}.norm{norm + 1}", width)
    yield from _weight_and_bias("transformer.decoder.norm", width)
    yield from _weight_and_bias("class_embed", class_rows, width)
    for i, size in enumerate((width, width, 4)):
        yield from _weight_and_bias(f"bbox_embed.layers.{i}", size, width)
    yield "query_embed.weight", (queries, width)
    yield from _weight_and_bias("input_proj", width, 2048, 1, 1)


def _resnet(depth: int) -> Shapes:
    yield "conv1.weight", (64, 3, 7, 7)
    yield from _frozen_norm("bn1", 64)
    channels = 64
    for stage, blocks in enumerate(RESNET_BLOCKS[depth]):
        width = 64 * 2**stage
        for block in range(blocks):
            name = f"layer{stage + 1}.{block}"
            sizes = ((width, channels, 1), (width, width, 3), (4 * width, width, 1))
            for i, (c_out, c_in, size) in enumerate(sizes, start=1):
                yield f"{name}.conv{i}.weight", (c_out, c_in, size, size)
                yield from _frozen_norm(f"{name}.bn{i}", c_out)
            if block == 0:
                yield f"{name}.downsample.0.weight", (4 * width, channels, 1, 1)
                yield from _frozen_norm(f"{name}.downsample.1", 4 * width)
            channels = 4 * width


def _mask_attention_and_fpn(width: int) -> Shapes:
    yield from _weight_and_bias("bbox_attention.q_linear", width, width)
    yield from _weight_and_bias("bbox_attention.k_linear", width, width)
    channels = (width + 8, width + 8, width // 2, width // 4, width // 8, width // 16)
    for i in range(1, 5):
        yield from _weight_and_bias(f"mask_head.lay{i}", channels[i], channels[i - 1], 3, 3)
    for i in range(1, 6):
        yield from _weight_and_bias(f"mask_head.gn{i}", channels[i])
    for i, c_in in enumerate((1024, 512, 256)):
        yield from _weight_and_bias(f"mask_head.adapter{i + 1}", channels[i + 2], c_in, 1, 1)


def _weight_and_bias(name: str, *shape: int) -> Shapes:
    yield f"{name}.weight", shape
    yield f"{name}.bias", shape[:1]


def _frozen_norm(name: str, channels: int) -> Shapes:
    for kind in ("weight", "bias", "running_mean", "running_var"):
        yield f"{name}.{kind}", (channels,)


def _draw(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Random weights: small matrices, scales and variances around 1, all from their names."""
    state = {}
    for name, shape in shapes.items():
        generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
        values = torch.randn(shape, generator=generator)
        if name.endswith("running_var"):
            state[name] = 1 + 0.1 * values.abs()
        elif len(shape) == 1:
            state[name] = 0.1 * values + name.endswith("weight")
        else:
            state[name] = values * (2 / values[0].numel()) ** 0.5
    return state
