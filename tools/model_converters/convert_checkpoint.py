#!/usr/bin/env python
"""Convert published weights: ``convert_checkpoint.py SRC --from KIND --to CONFIG --out FILE``."""

import argparse
import sys

try:
    from mmttsrn.environment import check_mmcv_ops

    check_mmcv_ops()
except ImportError as error:  # a package is missing, too old or without its ops
    print(f"error: {error}", file=sys.stderr)
    sys.exit(2)

from mmttsrn.checkpoints import load_checkpoint_file
from mmttsrn.checkpoints.conversion import convert
from mmttsrn.checkpoints.conversion_report import format_report
from mmttsrn.checkpoints.converters import SOURCE_FORMATS
from mmttsrn.checkpoints.state import named_tensors
from mmttsrn.engine.command_line import CfgOptionsAction, add_override_argument
from mmttsrn.engine.config_file import load_config
from mmttsrn.engine.converted_checkpoint import check_out_file, model_state, save_converted
from mmttsrn.engine.user_errors import report_user_errors


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description="Convert published weights for a model of this package, report what fits."
    )
    parser.add_argument("source", metavar="SRC", help="checkpoint file: .pth, .pt or .safetensors")
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
        "--cfg-options",
        nargs="+",
        action=CfgOptionsAction,
        metavar="KEY=VALUE",
        help="settings of the config to change, e.g. model.head.num_classes=3",
    )
    add_override_argument(parser)
    return parser.parse_args()


def main() -> None:
    """Read the checkpoint, build the model's shapes, convert, write, report."""
    args = parse_args()
    with report_user_errors():
        check_out_file(args.out, args.source)
        cfg = load_config(args.to, args.cfg_options, ["model"])
        content = load_checkpoint_file(args.source, allow_unsafe=args.allow_unsafe_checkpoint)
        source = named_tensors(content, args.source)
        conversion = convert(source, args.kind, model_state(cfg), args.source)
        save_converted(conversion, args.out, args.kind, args.source, args.to)
        print(format_report(conversion))
        print(f"\nwrote {args.out}")


if __name__ == "__main__":
    main()
