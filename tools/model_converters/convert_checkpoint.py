#!/usr/bin/env python
"""Convert published weights: ``convert_checkpoint.py SRC --from KIND --to CONFIG --out FILE``."""

import argparse
import runpy
from pathlib import Path

if __name__ == "__main__":  # before the imports, which fail without what is checked
    runpy.run_path(str(Path(__file__).resolve().parents[1] / "setup" / "check_packages.py"))

from mmttsrn.apis.building import state_without_values
from mmttsrn.apis.config_file import load_config
from mmttsrn.checkpoints import load_checkpoint_file
from mmttsrn.checkpoints.conversion import ALLOW_FLAG, check_parts, convert, save_converted
from mmttsrn.checkpoints.conversion_report import format_report
from mmttsrn.checkpoints.converters import SOURCE_FORMATS
from mmttsrn.checkpoints.state import named_tensors
from mmttsrn.cli.command_line import add_cfg_options_argument, add_override_argument
from mmttsrn.cli.config_options import set_cfg_options
from mmttsrn.cli.user_errors import ArgumentParser, report_user_errors
from mmttsrn.errors import input_errors, printable
from mmttsrn.formats.output_files import check_output_file


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = ArgumentParser(
        description="Convert published weights for a model of this package, report what fits."
    )
    parser.add_argument(
        "source", metavar="SRC", help="checkpoint file: .pth, .pt, .safetensors or .pkl"
    )
    parser.add_argument(
        "--from", dest="kind", required=True, choices=SOURCE_FORMATS, help="what SRC is"
    )
    parser.add_argument(
        "--to",
        required=True,
        metavar="CONFIG",
        help="config of the model that gets the weights, or the name of a config of the package",
    )
    parser.add_argument("--out", required=True, metavar="FILE", help="file to write: .pth")
    parser.add_argument(
        ALLOW_FLAG,
        action="store_true",
        help="write the file even if it leaves out a part of the model or of SRC",
    )
    add_cfg_options_argument(parser)
    add_override_argument(parser)
    args = parser.parse_args()
    if not args.out.endswith(".pth"):
        parser.error(f"argument --out: expected a name that ends with .pth, got {args.out!r}")
    return args


@report_user_errors()
def main() -> None:
    """Read the checkpoint, build the model's shapes, convert, write, report."""
    args = parse_args()
    check_output_file(Path(args.out), "--out", [args.source])
    cfg = load_config(args.to)
    set_cfg_options(cfg, args.cfg_options)
    content = load_checkpoint_file(args.source, allow_unsafe=args.allow_unsafe_checkpoint)
    source = named_tensors(content, args.source)
    model = state_without_values(cfg)
    with input_errors(args.source):
        conversion = convert(source, args.kind, model, args.source)
    if not args.allow_missing_parts:
        check_parts(conversion, args.kind, args.source)
    save_converted(conversion, args.out, args.kind, args.source, args.to)
    print(format_report(conversion))
    print(f"\nwrote {printable(args.out)}")


if __name__ == "__main__":
    main()
