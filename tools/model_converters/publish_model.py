#!/usr/bin/env python
"""Publish a training checkpoint: ``python tools/model_converters/publish_model.py IN OUT_DIR``."""

import argparse
import math
import runpy
from pathlib import Path

if __name__ == "__main__":  # before the imports, which fail without what is checked
    runpy.run_path(str(Path(__file__).resolve().parents[1] / "setup" / "check_packages.py"))

from mmttsrn.apis.building import build_from_config
from mmttsrn.apis.config_file import load_config
from mmttsrn.checkpoints.host_loading import read_checkpoint, safe_host_loading
from mmttsrn.checkpoints.metafile import released_models, update_metafile
from mmttsrn.checkpoints.publishing import model_entry, publish
from mmttsrn.checkpoints.state_difference import check_checkpoint, trained_with
from mmttsrn.checkpoints.stored_config import stored_config
from mmttsrn.cli.command_line import add_override_argument
from mmttsrn.cli.user_errors import ArgumentParser, report_user_errors
from mmttsrn.errors import UserInputError, input_errors, printable

METAFILE = Path(__file__).resolve().parents[2] / "configs" / "vis" / "metafile.yml"


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = ArgumentParser(
        description="Publish a training checkpoint: files of weights, entry in the metafile.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("checkpoint", help="checkpoint of a training run")
    parser.add_argument("out_dir", type=Path, help="folder for the published files")
    parser.add_argument("--name", help="name of the model; by default that of the config")
    parser.add_argument(
        "--config", help="config of the model; by default the one stored in the checkpoint"
    )
    parser.add_argument(
        "--config-path", help="path of the config in the repository; by default configs/vis/NAME.py"
    )
    parser.add_argument(
        "--location",
        help="where users find the files: a URL, hf://owner/repository, or a folder, if relative "
        "from that of the metafile; by default OUT_DIR",
    )
    parser.add_argument("--no-safetensors", action="store_true", help="write the .pth only")
    parser.add_argument(
        "--half", action="store_true", help="keep weights as float16, in half the space"
    )
    parser.add_argument("--dataset", help="data that it was trained and measured on")
    parser.add_argument(
        "--metrics",
        nargs="+",
        type=name_and_number,
        metavar="NAME=VALUE",
        help="metrics of these weights, as tools/test.py measures them",
    )
    parser.add_argument(
        "--metafile", type=Path, default=METAFILE, help="metafile to write the entry to"
    )
    add_override_argument(parser)
    return parser.parse_args()


def name_and_number(text: str) -> tuple[str, float]:
    """Type of ``--metrics``."""
    name, _, value = text.rpartition("=")
    if not name or not math.isfinite(float(value)):
        raise ValueError
    return name, float(value)


def run(args: argparse.Namespace) -> None:
    """Check everything, publish, write the entry of the metafile."""
    released_models(args.metafile)  # before anything is written
    checkpoint = read_checkpoint(args.checkpoint, allow_unsafe=args.allow_unsafe_checkpoint)
    cfg = load_config(args.config) if args.config else stored_config(checkpoint, args.checkpoint)
    name = args.name or trained_with(checkpoint)
    if name is None:
        raise UserInputError(f"{args.checkpoint}: says no name of its config; give --name")
    model = build_from_config(cfg)
    check_checkpoint(model, checkpoint, args.checkpoint)
    with input_errors(f"{args.checkpoint}: meta"):
        release = publish(
            checkpoint,
            model,
            cfg,
            name,
            args.out_dir,
            metrics=dict(args.metrics or ()),
            with_safetensors=not args.no_safetensors,
            half=args.half,
        )
    location = args.location or str(args.out_dir.resolve())
    config_path = args.config_path or f"configs/vis/{name}.py"
    update_metafile(args.metafile, model_entry(release, config_path, location, args.dataset))
    weights = "averaged (EMA)" if release.meta["ema"] else "as trained"
    print(f"{name}: {release.parameters:,} parameters, weights {weights}")
    for suffix, path in release.files.items():
        print(f"{printable(path)}  sha256 {release.sha256[suffix]}")
    metafile = printable(args.metafile)
    print(f"read again, they hold the weights of the checkpoint; entry in {metafile}")


@report_user_errors()
def main() -> None:
    """Publish; bad input ends it with one line and exit status 2."""
    args = parse_args()
    with safe_host_loading(args.allow_unsafe_checkpoint):
        run(args)


if __name__ == "__main__":
    main()
