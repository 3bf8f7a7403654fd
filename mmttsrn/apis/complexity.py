"""Parameters and multiply-adds of a model, part by part.

PyTorch's ``FlopCounterMode`` counts what a forward pass, which is really run, multiplies: that of
convolutions, linear layers, matrix products and attention. Left out are normalisation, activations,
softmax, sums, resizing and the sampling of deformable layers.
"""

from dataclasses import dataclass

import torch
from mmengine.analysis import parameter_count
from mmengine.model import BaseModel
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from mmttsrn.models.mask_heads.deform_conv import OffsetDeformConv2d

TOTAL = "total"


@dataclass(frozen=True)
class Complexity:
    """Size of a model and of one forward pass.

    Attributes:
        parameters: Number of parameters of each part, and of all as ``total``.
        flops: Multiply-adds of each part, and of all as ``total``.
        operators: Multiply-adds of each operation of PyTorch.
    """

    parameters: dict[str, int]
    flops: dict[str, int]
    operators: dict[str, int]


def count_complexity(
    model: BaseModel, shape: tuple[int, int, int], device: str = "cpu"
) -> Complexity:
    """Count parameters and multiply-adds of one clip.

    Args:
        model: TT-SRN, VisTR or Mask2Former; moved to the device, and not to be used further.
        shape: Frames T, height and width of the clip as the model sees it, padded.
        device: Where the pass is run; the counts do not depend on it.

    Returns:
        The counts; a part is a child of the model, such as the backbone.
    """
    for module in model.modules():
        if isinstance(module, OffsetDeformConv2d):
            module.backend = "grid_sample"  # the counter sees no operation of MMCV
    # The counter takes no views of parameters with gradients, nor the CPU's kernel of attention.
    model.requires_grad_(False).to(device).eval()
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), counter:
        model(torch.zeros(1, shape[0], 3, *shape[1:], device=device), mode="tensor")
    counts = {
        name.partition(".")[2] or TOTAL: sum(operators.values()) // 2  # 2 for a multiply-add
        for name, operators in counter.get_flop_counts().items()
        if name == "Global" or name.startswith("SequenceModel.")
    }
    sizes = parameter_count(model)
    parts = [name for name, _ in model.named_children() if sizes[name]]
    return Complexity(
        parameters={**{part: sizes[part] for part in parts}, TOTAL: sizes[""]},
        flops={part: counts.get(part, 0) for part in (*parts, TOTAL)},
        operators={str(op): n // 2 for op, n in counter.get_flop_counts()["Global"].items()},
    )
