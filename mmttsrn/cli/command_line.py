"""What the commands ``tools/train.py`` and ``tools/test.py`` have in common."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.distributed
from mmengine.config import Config, DictAction
from mmengine.device import get_device
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from mmttsrn.apis.config_file import config_stem
from mmttsrn.checkpoints.loading import OVERRIDE_FLAG
from mmttsrn.cli.user_errors import process_rank
from mmttsrn.engine.bfloat16 import BFloat16OptimWrapper
from mmttsrn.engine.runner import ConfigRunner
from mmttsrn.errors import input_errors
from mmttsrn.formats.output_files import check_output_folder


class CfgOptionsAction(DictAction):
    """MMEngine's parser of ``KEY=VALUE`` options with usage errors instead of tracebacks."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Parse the options into a dict."""
        for value in values or ():
            key, equals, _ = value.partition("=")
            if not equals or not all(key.split(".")):
                parser.error(f"argument {option_string}: expected KEY=VALUE, got {value!r}")
        try:
            super().__call__(parser, namespace, values, option_string)
        except AssertionError as error:  # brackets
            parser.error(f"argument {option_string}: {error}")


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that every command takes, named as in MMDetection."""
    parser.add_argument("--work-dir", help="folder for logs and results")
    add_cfg_options_argument(parser)
    add_override_argument(parser)
    parser.add_argument(
        "--launcher",
        choices=["none", "pytorch", "slurm", "mpi"],
        default="none",
        help="what has started the processes",
    )
    # PyTorch's launchers pass either spelling.
    parser.add_argument("--local_rank", "--local-rank", type=int, default=0)


def add_cfg_options_argument(parser: argparse.ArgumentParser) -> None:
    """Add the option that changes settings of the config."""
    parser.add_argument(
        "--cfg-options",
        nargs="+",
        action=CfgOptionsAction,
        metavar="KEY=VALUE",
        help='settings of the config to change, e.g. model.head.num_classes=3 or key="[a,b]"',
    )


def add_override_argument(parser: argparse.ArgumentParser) -> None:
    """Add the flag that lets a command read checkpoints that it would refuse."""
    parser.add_argument(
        OVERRIDE_FLAG,
        action="store_true",
        help="read checkpoints even where that can run code from the file; only for files whose "
        "author you trust",
    )


def set_work_dir(cfg: Config, work_dir: str | None, config_name: str) -> None:
    """Set the work folder: that of the command line, of the config, or ``./work_dirs/<config>``."""
    if work_dir is not None:
        cfg.work_dir = work_dir
    elif cfg.get("work_dir") is None:
        cfg.work_dir = os.path.join("work_dirs", config_stem(config_name))
    check_output_folder(Path(cfg.work_dir), "--work-dir")


def prepare_distributed(cfg: Config, launcher: str, local_rank: int) -> None:
    """Set the launcher; without an accelerator, start the processes' group on the CPU.

    MMEngine selects a CUDA device for each process and wraps the model for it. On the CPU the
    group is started here with gloo, which MMEngine then uses, and the wrapper gets no device.

    ``local_rank`` is that of the process on its machine, for where the environment does not say it.
    """
    cfg.launcher = launcher
    os.environ.setdefault("LOCAL_RANK", str(local_rank))
    if launcher != "pytorch" or get_device() != "cpu":
        return
    if process_rank() == 0:
        print("no GPU: processes communicate through gloo on the CPU", flush=True)
    env_cfg = cfg.setdefault("env_cfg", {})
    env_cfg.setdefault("dist_cfg", {})["backend"] = "gloo"
    wrapper = cfg.get("model_wrapper_cfg") or dict(
        type="MMDistributedDataParallel",
        broadcast_buffers=False,
        find_unused_parameters=cfg.get("find_unused_parameters", False),
    )
    cfg.model_wrapper_cfg = dict(wrapper, device_ids=None)
    if not torch.distributed.is_initialized():
        torch.distributed.init_process_group("gloo")


def enable_amp(cfg: Config) -> None:
    """Turn on mixed precision: bfloat16, or float16 with loss scaling on a GPU without it."""
    if get_device() == "cpu":
        cfg.optim_wrapper.type = f"{BFloat16OptimWrapper.__module__}.BFloat16OptimWrapper"
    else:
        cfg.optim_wrapper.type = "AmpOptimWrapper"
        if torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False):
            cfg.optim_wrapper.dtype = "bfloat16"
        else:
            cfg.optim_wrapper.loss_scale = "dynamic"


def build_runner(cfg: Config) -> Runner:
    """Build the runner, or the one that ``runner_type`` of the config names."""
    with input_errors("config"):
        return RUNNERS.build(cfg) if "runner_type" in cfg else ConfigRunner.from_cfg(cfg)
