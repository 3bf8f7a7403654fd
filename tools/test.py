#!/usr/bin/env python
"""Test a model: ``python tools/test.py CONFIG CHECKPOINT``, or ``CONFIG --model hf://...``."""

import argparse
import runpy
from pathlib import Path

if __name__ == "__main__":  # before the imports, which fail without what is checked
    runpy.run_path(str(Path(__file__).resolve().parents[0] / "setup" / "check_packages.py"))

from mmengine.config import Config

from mmttsrn.apis.config_file import load_config
from mmttsrn.apis.hub_models import hub_checkpoint, use_hub_model
from mmttsrn.checkpoints.host_loading import safe_host_loading
from mmttsrn.checkpoints.hub_folder import open_hub_folder
from mmttsrn.checkpoints.state import bare_model
from mmttsrn.checkpoints.state_difference import check_checkpoint
from mmttsrn.cli.command_line import (
    add_common_arguments,
    build_runner,
    prepare_distributed,
    set_work_dir,
)
from mmttsrn.cli.config_options import set_cfg_options, warn_of_misspelt_keys
from mmttsrn.cli.signals import run_test
from mmttsrn.cli.user_errors import ArgumentParser, report_user_errors
from mmttsrn.engine.hooks.class_count_check_hook import ALLOW_FLAG, ClassCountCheckHook
from mmttsrn.errors import UserInputError, input_errors
from mmttsrn.evaluation.metrics import DumpTrackResults
from mmttsrn.formats.output_files import check_output_file

REQUIRED_KEYS = ("model", "test_dataloader", "test_cfg", "test_evaluator")


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = ArgumentParser(description="Test a model and evaluate it.")
    parser.add_argument("config", help="config file, or the name of a config of the package")
    parser.add_argument(
        "checkpoint", nargs="?", help="checkpoint file or URL; may be left out with --model"
    )
    parser.add_argument(
        "--model",
        metavar="HUB",
        help="a model of the Hugging Face hub, hf://owner/repository[@revision], or a folder with "
        "the same files: it is tested on the data of the config",
    )
    parser.add_argument("--out", metavar="FILE.pkl", help="write the predictions to a pickle file")
    parser.add_argument("--show", action="store_true", help="show the predictions in a window")
    parser.add_argument(
        "--show-dir",
        help="write overlays of the predictions to work_dir/<timestamp>/<this folder>",
    )
    parser.add_argument(
        "--wait-time", type=float, default=2, help="seconds that a shown frame stays"
    )
    parser.add_argument(
        ALLOW_FLAG,
        action="store_true",
        help="test even if the checkpoint was trained on classes of other names",
    )
    add_common_arguments(parser)
    args = parser.parse_args()
    if args.checkpoint is None and args.model is None:
        parser.error("give a CHECKPOINT, or a model of the hub as --model")
    if args.out is not None and not args.out.endswith((".pkl", ".pickle")):
        parser.error(f"argument --out: expected a name that ends with .pkl, got {args.out!r}")
    return args


@input_errors("config")
def apply_arguments(cfg: Config, args: argparse.Namespace) -> None:
    """Change the config as the flags say."""
    set_work_dir(cfg, args.work_dir, args.config)
    if args.out is not None:
        check_output_file(Path(args.out), "--out", [args.config, args.checkpoint or args.model])
    cfg.load_from = args.checkpoint or args.model
    cfg.resume = False
    if args.show or args.show_dir:
        hook = (cfg.get("default_hooks") or {}).get("visualization")
        if hook is None:
            raise UserInputError(
                f"{args.config}: --show and --show-dir need default_hooks.visualization in the "
                'config, e.g. dict(type="mmttsrn.VISVisualizationHook")'
            )
        hook.update(draw=True, show=args.show, wait_time=args.wait_time)
        if args.show_dir:
            hook.test_out_dir = args.show_dir
    prepare_distributed(cfg, args.launcher, args.local_rank)


@report_user_errors()
def main() -> None:
    """Read the config, build the runner, check the checkpoint, test."""
    args = parse_args()
    with safe_host_loading(args.allow_unsafe_checkpoint) as reader:
        cfg = load_config(args.config, REQUIRED_KEYS)
        warn_of_misspelt_keys(cfg, args.config)
        hub = open_hub_folder(args.model) if args.model else None
        if hub:
            use_hub_model(cfg, hub)
        set_cfg_options(cfg, args.cfg_options)
        if args.checkpoint:
            reader.read_ahead(args.checkpoint)
        apply_arguments(cfg, args)
        runner = build_runner(cfg)
        if hub and not args.checkpoint:
            state, unsafe = bare_model(runner.model).state_dict(), args.allow_unsafe_checkpoint
            reader.keep(cfg.load_from, hub_checkpoint(hub, state, allow_unsafe=unsafe))
        # The reader holds it until the runner loads it.
        check_checkpoint(runner.model, reader.read_ahead(cfg.load_from), cfg.load_from)
        for hook in runner.hooks:
            if isinstance(hook, ClassCountCheckHook) and args.allow_class_mismatch:
                hook.allow_class_mismatch = True
        if args.out is not None:
            runner.test_evaluator.metrics.append(DumpTrackResults(args.out))
        run_test(runner)


if __name__ == "__main__":
    main()
