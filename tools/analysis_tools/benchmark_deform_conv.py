"""Compares the two backends of the mask head's deformable convolution in one run.

Each round times one forward and backward pass of either backend on the same input, in turn, so that
a machine whose speed drifts slows both. The medians and the ratio of the rounds are printed.
"""

import argparse
import runpy
import statistics
import time
from pathlib import Path

if __name__ == "__main__":  # before the imports, which fail without what is checked
    runpy.run_path(str(Path(__file__).resolve().parents[1] / "setup" / "check_packages.py"))

import torch
from torch import Tensor

from mmttsrn.cli.user_errors import report_user_errors
from mmttsrn.models.mask_heads.deform_conv import OffsetDeformConv2d


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--images", type=int, default=8, help="(instance, frame) images at a time")
    parser.add_argument("--channels", type=int, nargs=2, default=(48, 24), metavar=("IN", "OUT"))
    parser.add_argument("--size", type=int, nargs=2, default=(24, 40), metavar=("H", "W"))
    parser.add_argument("--rounds", type=int, default=7, help="timed rounds, after one to warm up")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    return parser.parse_args()


def timed_pass(conv: OffsetDeformConv2d, x: Tensor) -> tuple[float, Tensor]:
    """Seconds of a forward and backward pass, and its output."""
    conv.zero_grad()
    start = time.perf_counter()
    y = conv(x)
    y.square().mean().backward()
    if x.is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - start, y.detach()


@report_user_errors()
def main() -> None:
    """Run the comparison."""
    args = parse_args()
    torch.manual_seed(0)
    conv = OffsetDeformConv2d(*args.channels).to(args.device)
    torch.nn.init.normal_(conv.conv_offset.weight, std=0.1)
    x = torch.randn(args.images, args.channels[0], *args.size, device=args.device)
    x.requires_grad_()
    seconds: dict[str, list[float]] = {"mmcv": [], "grid_sample": []}
    outputs = {}
    for _ in range(args.rounds + 1):
        for backend, times in seconds.items():
            conv.backend = backend
            elapsed, outputs[backend] = timed_pass(conv, x)
            times.append(elapsed)
    difference = (outputs["mmcv"] - outputs["grid_sample"]).abs().max().item()
    timed = {backend: times[1:] for backend, times in seconds.items()}
    ratios = [a / b for a, b in zip(timed["mmcv"], timed["grid_sample"], strict=True)]
    print(f"{args.images} x {args.channels[0]} x {args.size[0]} x {args.size[1]} on {args.device}")
    for backend, times in timed.items():
        print(f"{backend:12s} median {statistics.median(times) * 1e3:8.1f} ms a pass")
    print(
        f"mmcv / grid_sample: median {statistics.median(ratios):.1f}, "
        f"{min(ratios):.1f} to {max(ratios):.1f} in {args.rounds} rounds; "
        f"largest difference of the outputs {difference:.1e}"
    )


if __name__ == "__main__":
    main()
