"""Parameters and FLOPs of a model, part by part.

MMEngine's ``FlopAnalyzer`` (fvcore's method) traces one forward pass and counts its operations; one
multiply-add is one FLOP. Deformable convolution and attention are unknown to it and counted here.
The pass is really run, so that what is counted is what the model does.
"""

from collections import Counter
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from mmengine.analysis import FlopAnalyzer, parameter_count
from mmengine.analysis.jit_handles import get_shape
from torch import Tensor, nn

from mmttsrn.errors import UserInputError
from mmttsrn.hosts.mmdet import TTSRN

TOTAL = "total"


@dataclass(frozen=True)
class Complexity:
    """Size of a model and of one forward pass.

    Args:
        parameters: Number of parameters of each part, and of all as ``total``.
        flops: FLOPs of each part, and of all as ``total``.
        operators: FLOPs of each kind of operation.
        uncounted: How often each operation occurs that is left out, as in fvcore: activations,
            softmax, sums and other work that grows with the number of values only.
    """

    parameters: dict[str, int]
    flops: dict[str, int]
    operators: dict[str, int]
    uncounted: dict[str, int]


class _RawForward(nn.Module):
    """The model with its raw outputs for clips, which is what is counted."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, frames: Tensor) -> tuple[Tensor, ...]:
        """Class logits, boxes and masks for clips (N, T, 3, H, W)."""
        outputs = self.model(frames, mode="tensor")
        return tuple(output for output in outputs if output is not None)


def count_complexity(model: TTSRN, shape: tuple[int, int, int], device: str = "cpu") -> Complexity:
    """Count parameters and FLOPs of one clip.

    Args:
        model: TT-SRN or VisTR; moved to the device.
        shape: Frames T, height and width of the clip as the model sees it, padded.
        device: Where the pass is run; the counts do not depend on it.

    Returns:
        The counts; a part is a child of the model, such as the backbone.

    Raises:
        UserInputError: The clip has more frames than the model takes.
    """
    if shape[0] > model.head.num_frames:
        raise UserInputError(
            f"--shape {' '.join(map(str, shape))}: the model takes clips of up to "
            f"{model.head.num_frames} frames (model.head.num_frames)"
        )
    model = model.to(device).eval()
    frames = torch.zeros(1, shape[0], 3, *shape[1:], device=device)
    analyzer = flop_analyzer(_RawForward(model), frames)
    with torch.no_grad():
        by_module = analyzer.by_module()
    parameters = parameter_count(model)
    parts = {name: name for name, _ in model.named_children() if parameters[name]} | {TOTAL: ""}
    return Complexity(
        parameters={part: parameters[name] for part, name in parts.items()},
        flops={part: int(by_module[f"model.{name}".rstrip(".")]) for part, name in parts.items()},
        operators={name: int(count) for name, count in analyzer.by_operator().items()},
        uncounted=dict(analyzer.unsupported_ops()),
    )


def flop_analyzer(module: nn.Module, *inputs: Tensor) -> FlopAnalyzer:
    """MMEngine's analyzer of a module in evaluation mode, with the operations that it lacks."""
    analyzer = FlopAnalyzer(module.eval(), inputs).set_op_handle(**HANDLES)
    analyzer.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    return analyzer.tracer_warnings("none")


def attention_flops(inputs: list[Any], outputs: list[Any]) -> Counter[str]:
    """FLOPs of ``scaled_dot_product_attention``: queries times keys, weights times values.

    Args:
        inputs: Queries (..., L, E), keys (..., S, E) and values (..., S, V) come first.
        outputs: (..., L, V).
    """
    queries, keys, values = (get_shape(value) for value in inputs[:3])
    return Counter(attention=prod(queries) * keys[-2] + prod(queries[:-1]) * prod(values[-2:]))


def deform_conv_flops(inputs: list[Any], outputs: list[Any]) -> Counter[str]:
    """FLOPs of MMCV's deformable convolution: those of the convolution, and of the sampling.

    A value between the cells is the sum of four products, once for each tap and input channel.

    Args:
        inputs: Maps (B, C_in, H, W), offsets and weights (C_out, C_in / groups, k, k) come first.
        outputs: (B, C_out, H, W).
    """
    batch, in_channels = get_shape(inputs[0])[:2]
    weight, out = get_shape(inputs[2]), get_shape(outputs[0])
    cells = batch * prod(out[2:])
    sampling = 4 * cells * in_channels * prod(weight[2:])
    return Counter(deform_conv=cells * prod(weight) + sampling)


HANDLES = {
    "aten::scaled_dot_product_attention": attention_flops,
    "prim::PythonOp.DeformConv2dFunction": deform_conv_flops,
}
