#!/usr/bin/env python
"""Parameters and FLOPs, part by part: ``python tools/analysis_tools/get_flops.py CONFIG ...``."""

import argparse
import runpy
from pathlib import Path

if __name__ == "__main__":  # before the imports, which fail without what is checked
    runpy.run_path(str(Path(__file__).resolve().parents[1] / "setup" / "check_packages.py"))

from mmengine.config import Config

from mmttsrn.apis.building import build_from_config
from mmttsrn.apis.complexity import TOTAL, Complexity, count_complexity
from mmttsrn.apis.config_file import config_stem, load_config
from mmttsrn.cli.command_line import add_cfg_options_argument
from mmttsrn.cli.config_options import set_cfg_options
from mmttsrn.cli.user_errors import ArgumentParser, report_user_errors

PARTS = ("backbone", "neck", "pixel_decoder", "head", "mask_head", TOTAL)
BOX_ONLY = ", boxes only"


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = ArgumentParser(
        description="Count the parameters and FLOPs of models for one clip, as a Markdown table. "
        "One multiply-add is one FLOP; see mmttsrn/apis/complexity.py for what is counted.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("configs", nargs="+", help="config files, or names of configs")
    parser.add_argument(
        "--shape",
        type=int,
        nargs=3,
        metavar=("T", "H", "W"),
        default=(36, 300, 540),
        help="frames, height and width of the clip before padding",
    )
    parser.add_argument("--device", default="cpu", help="where the forward pass is run")
    parser.add_argument(
        "--box-only", action="store_true", help="add a row without mask head for the first config"
    )
    parser.add_argument(
        "--operators", action="store_true", help="list those of each operation as well"
    )
    add_cfg_options_argument(parser)
    args = parser.parse_args()
    if min(args.shape) < 1:
        parser.error(f"argument --shape: expected positive numbers, got {args.shape}")
    return args


def padded_shape(cfg: Config, shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """Return the clip as the data preprocessor pads it."""
    preprocessor = cfg.model.get("data_preprocessor") or {}
    divisor = preprocessor.get("pad_size_divisor", 1)
    frames, *size = shape
    height, width = (-(-side // divisor) * divisor for side in size)
    return frames, height, width


def row(name: str, complexity: Complexity) -> str:
    """Return a row of the table: parameters in millions and FLOPs in thousand millions."""
    cells = [
        f"{complexity.parameters[part] / 1e6:.2f} M / {complexity.flops[part] / 1e9:,.1f} G"
        if part in complexity.parameters
        else "-"
        for part in PARTS
    ]
    return f"| {' | '.join([name, *cells])} |"


@report_user_errors()
def main() -> None:
    """Count and print; bad input ends it with one line and exit status 2."""
    args = parse_args()
    models = [(f"`{config_stem(config)}`", load_config(config)) for config in args.configs]
    if args.box_only:
        models.append((f"{models[0][0]}{BOX_ONLY}", load_config(args.configs[0])))
    for _, cfg in models:
        set_cfg_options(cfg, args.cfg_options)
    shape = tuple(args.shape)
    print(f"clip of {shape[0]} x {shape[1]} x {shape[2]}; parameters / FLOPs\n")
    print(f"| config | {' | '.join(PARTS)} |")
    print(f"| {' | '.join(['---'] * (len(PARTS) + 1))} |", flush=True)
    for name, cfg in models:
        if name.endswith(BOX_ONLY):
            cfg.model.mask_head = cfg.model.criterion = None
        complexity = count_complexity(build_from_config(cfg), padded_shape(cfg, shape), args.device)
        print(row(name, complexity), flush=True)
        if args.operators:
            for operator, flops in sorted(complexity.operators.items(), key=lambda x: -x[1]):
                print(f"    {operator:<20} {flops / 1e9:>10,.2f} G")


if __name__ == "__main__":
    main()
