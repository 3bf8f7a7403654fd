"""Prove that MMCV's compiled ops work: a deformable convolution, forward and backward.

With zero offsets it has to equal an ordinary convolution. Runs on every device there is and exits
with a traceback when something is wrong.
"""

import torch
from mmcv import __version__ as mmcv_version
from mmcv.ops import DeformConv2d
from torch.nn import functional


def check_device(device: str) -> None:
    """Compare the deformable convolution with the ordinary one on a device."""
    torch.manual_seed(0)
    layer = DeformConv2d(4, 6, kernel_size=3, padding=1).to(device)
    image = torch.randn(2, 4, 9, 11, device=device, requires_grad=True)  # N C H W
    offset = torch.zeros(2, 18, 9, 11, device=device, requires_grad=True)  # N 2*3*3 H W
    output = layer(image, offset)  # N 6 H W
    expected = functional.conv2d(image, layer.weight, padding=1)
    torch.testing.assert_close(output, expected, rtol=1e-3, atol=1e-3)
    output.square().sum().backward()
    for tensor in (image, offset, layer.weight):
        gradient = tensor.grad
        assert gradient is not None
        assert gradient.isfinite().all()
        assert gradient.any()


if __name__ == "__main__":
    devices = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    for device in devices:
        check_device(device)
    print(
        f"mmcv.ops.DeformConv2d runs forward and backward on {' and '.join(devices)} "
        f"(torch {torch.__version__}, mmcv {mmcv_version})"
    )
