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
from mmttsrn.checkpoints.metafile import model_entry, read_metafile, update_metafile
from mmttsrn.checkpoints.publishing import check_class_names, publish, validation_metrics
from mmttsrn.checkpoints.state_difference import check_checkpoint, trained_with
from mmttsrn.checkpoints.stored_config import stored_config
from mmttsrn.checkpoints.zoo_table import check_page, update_table
from mmttsrn.cli.command_line import add_override_argument
from mmttsrn.cli.user_errors import ArgumentParser, report_user_errors
from mmttsrn.errors import UserInputError

ROOT = Path(__file__).resolve().parents[2]


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = ArgumentParser(
        description="Publish a training checkpoint: files of weights, metafile, model zoo table.",
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
    parser.add_argument("--dataset", help="data that it was trained and measured on")
    parser.add_argument(
        "--metrics",
        nargs="+",
        type=_metric,
        metavar="NAME=VALUE",
        help="metrics of these weights; by default those in the checkpoint if it is best_*.pth",
    )
    parser.add_argument("--date", help="YYYYMMDD; by default the day of the checkpoint")
    parser.add_argument(
        "--metafile",
        type=Path,
        default=ROOT / "configs" / "vis" / "metafile.yml",
        help="metafile to write the entry to",
    )
    parser.add_argument(
        "--zoo-page",
        type=Path,
        default=ROOT / "docs" / "model_zoo.md",
        help="page to write the table of released models to",
    )
    add_override_argument(parser)
    return parser.parse_args()


def _metric(text: str) -> tuple[str, float]:
    name, equals, value = text.rpartition("=")
    try:
        number = float(value) if equals and name else math.nan
        if math.isfinite(number):
            return name, number
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"expected NAME=NUMBER, got {text!r}")


def run(args: argparse.Namespace) -> None:
    """Check everything, publish, write metafile and table."""
    read_metafile(args.metafile)
    check_page(args.zoo_page)
    checkpoint = read_checkpoint(args.checkpoint, allow_unsafe=args.allow_unsafe_checkpoint)
    cfg = load_config(args.config) if args.config else stored_config(checkpoint, args.checkpoint)
    name = args.name or trained_with(checkpoint)
    if name is None:
        raise UserInputError(f"{args.checkpoint}: says no name of its config; give --name")
    model = build_from_config(cfg)
    check_checkpoint(model, checkpoint, args.checkpoint)
    check_class_names(model, checkpoint, args.checkpoint)
    metrics = validation_metrics(checkpoint, Path(args.checkpoint).name)
    release = publish(
        checkpoint,
        model,
        cfg,
        name,
        args.out_dir,
        metrics=dict(args.metrics) if args.metrics else metrics,
        date=args.date,
        with_safetensors=not args.no_safetensors,
    )
    location = args.location or str(args.out_dir.resolve())
    config_path = args.config_path or f"configs/vis/{name}.py"
    entry = model_entry(release, config_path, location, args.dataset)
    content = update_metafile(args.metafile, entry)
    update_table(args.zoo_page, content["Models"], args.metafile.parent)
    weights = "averaged (EMA)" if release.meta["ema"] else "as trained"
    print(f"{name}: {release.parameters:,} parameters, weights {weights}")
    for suffix, path in release.files.items():
        print(f"{path}  sha256 {release.sha256[suffix]}")
    print("read again, they give the outputs of the checkpoint bit for bit")
    print(f"entry in {args.metafile}, table in {args.zoo_page}")


def main() -> None:
    """Publish; bad input ends it with one line and exit status 2."""
    args = parse_args()
    with report_user_errors(), safe_host_loading(args.allow_unsafe_checkpoint):
        run(args)


if __name__ == "__main__":
    main()
