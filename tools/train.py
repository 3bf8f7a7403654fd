#!/usr/bin/env python
"""Train a model: ``python tools/train.py CONFIG``."""

import argparse
import runpy
from pathlib import Path
from typing import Any

if __name__ == "__main__":  # before the imports, which fail without what is checked
    runpy.run_path(str(Path(__file__).resolve().parents[0] / "setup" / "check_packages.py"))

from mmengine.config import Config

from mmttsrn.apis.config_file import load_config
from mmttsrn.apis.init_model import start_from_released
from mmttsrn.checkpoints.host_loading import CheckpointReader, safe_host_loading
from mmttsrn.checkpoints.overwritten_init import skip_overwritten_init
from mmttsrn.checkpoints.run_checkpoints import (
    check_optimizer_state,
    check_training_state,
    latest_readable,
)
from mmttsrn.checkpoints.state_difference import check_checkpoint
from mmttsrn.cli.command_line import (
    add_common_arguments,
    build_runner,
    enable_amp,
    prepare_distributed,
    set_work_dir,
)
from mmttsrn.cli.config_options import set_cfg_options, warn_of_misspelt_keys
from mmttsrn.cli.signals import train
from mmttsrn.cli.user_errors import ArgumentParser, report_user_errors, warn_user
from mmttsrn.errors import UserInputError, input_errors

REQUIRED_KEYS = ("model", "train_dataloader", "train_cfg", "optim_wrapper")


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = ArgumentParser(description="Train a model.")
    parser.add_argument("config", help="config file, or the name of a config of the package")
    parser.add_argument("--amp", action="store_true", help="train with mixed precision")
    parser.add_argument(
        "--auto-scale-lr",
        action="store_true",
        help="scale the learning rate by the real batch size / auto_scale_lr.base_batch_size",
    )
    parser.add_argument(
        "--resume",
        nargs="?",
        const="auto",
        metavar="CHECKPOINT",
        help="go on from a checkpoint; without a value from the latest one of the work folder",
    )
    add_common_arguments(parser)
    return parser.parse_args()


@input_errors("config")
def apply_arguments(cfg: Config, args: argparse.Namespace) -> None:
    """Change the config as the flags say."""
    set_work_dir(cfg, args.work_dir, args.config)
    if args.amp:
        enable_amp(cfg)
    if args.auto_scale_lr:
        if "base_batch_size" not in (cfg.get("auto_scale_lr") or {}):
            raise UserInputError(
                f"{args.config}: --auto-scale-lr needs auto_scale_lr.base_batch_size in the config"
            )
        cfg.auto_scale_lr.enable = True
    if args.resume is not None:
        cfg.resume = True
        cfg.load_from = None if args.resume == "auto" else args.resume
    prepare_distributed(cfg, args.launcher, args.local_rank)


def resume_latest(cfg: Config, reader: CheckpointReader) -> None:
    """Set the checkpoint of the work folder to go on from; without one training begins anew."""

    def read(path: str) -> None:
        try:
            check_training_state(reader.read_ahead(path), path)
        except UserInputError:
            reader.forget(path)
            raise

    path, problems = latest_readable(Path(cfg.work_dir), read)
    goes_on = "training begins anew" if path is None else f"going on from {path}"
    for problem in problems or ([] if path else [f"{cfg.work_dir}: has no checkpoint"]):
        warn_user(f"{problem}; {goes_on}")
    cfg.load_from = None if path is None else str(path)
    cfg.resume = path is not None


def keep_seed(cfg: Config, checkpoint: dict[str, Any]) -> None:
    """Take the seed of a run over that drew its own, so that its samples come in the same order."""
    seed = checkpoint["meta"].get("seed")
    randomness = cfg.setdefault("randomness", {})
    if seed is not None and randomness.get("seed") is None:
        randomness.seed = seed


@report_user_errors()
def main() -> None:
    """Read the config, build the runner, check the checkpoint to start from, train."""
    args = parse_args()
    with safe_host_loading(args.allow_unsafe_checkpoint) as reader:
        cfg = load_config(args.config, REQUIRED_KEYS)
        warn_of_misspelt_keys(cfg, args.config)
        set_cfg_options(cfg, args.cfg_options)
        apply_arguments(cfg, args)
        if cfg.get("resume") and not cfg.get("load_from"):
            resume_latest(cfg, reader)
        start_from_released(cfg)
        checkpoint = reader.read_ahead(cfg.load_from) if cfg.get("load_from") else None
        if checkpoint is not None and cfg.get("resume"):
            check_training_state(checkpoint, cfg.load_from)
            keep_seed(cfg, checkpoint)
        runner = build_runner(cfg)
        # Weights to start from may be those of a part of the model; a run to go on with may not.
        if checkpoint is not None and cfg.get("resume"):
            check_checkpoint(runner.model, checkpoint, cfg.load_from)
            if "optimizer" in checkpoint:
                runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
                own = runner.optim_wrapper.state_dict()
                check_optimizer_state(own, checkpoint["optimizer"], cfg.load_from)
        if checkpoint is not None:
            skip_overwritten_init(runner.model, checkpoint["state_dict"])
        del checkpoint  # the reader holds it until the runner loads it
        train(runner)


if __name__ == "__main__":
    main()
