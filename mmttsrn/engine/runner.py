"""MMEngine's runner, which names the key of the config where building from it fails."""

import copy
import logging
from typing import Any

from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.logging import MMLogger
from mmengine.optim import OneCycleLR, OptimWrapper
from mmengine.registry import OPTIMIZERS
from mmengine.runner import BaseLoop, Runner
from torch.utils.data import DataLoader

from mmttsrn.engine.worker_batches import CollateInWorker
from mmttsrn.errors import input_errors, printable, without_secrets

WORKER_TIMEOUT = 1800  # seconds without a batch after which a data loader gives its workers up
# Key of the config that a method of the runner reads.
KEYS = {
    "setup_env": "env_cfg or --launcher",
    "set_randomness": "randomness.seed",
    "build_logger": "log_level",
    "build_log_processor": "log_processor",
    "build_visualizer": "visualizer",
    "build_model": "model",
    "wrap_model": "model_wrapper_cfg",
    "register_default_hooks": "default_hooks",
    "register_custom_hooks": "custom_hooks",
    "build_optim_wrapper": "optim_wrapper",
    "scale_lr": "auto_scale_lr",
    "build_param_scheduler": "param_scheduler",
    "build_train_loop": "train_cfg",
    "build_val_loop": "val_cfg or val_evaluator",
    "build_test_loop": "test_cfg or test_evaluator",
    "load_or_resume": "load_from",
}


class ConfigRunner(Runner):
    """Builds from a config; an exception on the way is a ``UserInputError`` that names the key.

    Messages of the start, which fill hundreds of lines with the environment, the config and the
    hooks, go to the log file only. The log file is in UTF-8. Secrets of URLs are hidden in all logs
    and in the copies of the config that are kept, those in checkpoints included.
    """

    def __init__(self, *args: Any, cfg: Config | None = None, **kwargs: Any) -> None:
        # What is built from the config comes as other arguments; this one is for the copies.
        kept: Any = copy.deepcopy(cfg)
        for key, value in list((kept or {}).items()):
            kept[key] = _without_secrets(value)
        super().__init__(*args, cfg=kept, **kwargs)
        self._terminal.setLevel(self._terminal_level)
        self.logger.info(f"Environment, config and hooks: see the log in {self.log_dir}")

    def build_logger(self, *args: Any, **kwargs: Any) -> MMLogger:
        """Build MMEngine's logger, whose terminal shows warnings only until all is built."""
        logger = super().build_logger(*args, **kwargs)
        self._terminal, self._terminal_level = logger.handlers[0], logger.handlers[0].level
        self._terminal.setLevel(max(self._terminal_level, logging.WARNING))
        logger.addFilter(_make_printable)
        for handler in logger.handlers:
            if isinstance(handler, logging.FileHandler) and handler.stream:
                handler.stream.reconfigure(encoding="utf-8", errors="backslashreplace")
        return logger

    def build_dataloader(self, dataloader: Any, *args: Any, **kwargs: Any) -> DataLoader:
        """Build a data loader with its data set.

        Its workers hand each batch over in one piece, and have ``WORKER_TIMEOUT`` seconds for it,
        unless the config has a ``timeout``.
        """
        key = self._key_of(dataloader, "dataloader")
        with input_errors(key):
            if not isinstance(dataloader, dict):
                return super().build_dataloader(dataloader, *args, **kwargs)
            if not dataloader["dataset"].get("pipeline", True):
                raise ValueError("dataset.pipeline: expected transforms, got none")
            settings = copy.copy(dataloader)
            if settings.get("num_workers"):
                settings.setdefault("timeout", WORKER_TIMEOUT)
            loader = super().build_dataloader(settings, *args, **kwargs)
            loader.collate_fn = CollateInWorker(loader.collate_fn, key)
            return loader

    def build_evaluator(self, evaluator: Any) -> Evaluator:
        """Build an evaluator with its metrics."""
        with input_errors(self._key_of(evaluator, "evaluator")):
            return super().build_evaluator(evaluator)

    def _key_of(self, value: Any, kind: str) -> str:
        keys = [f"{stage}_{kind}" for stage in ("train", "val", "test")]
        return next((key for key in keys if self.cfg.get(key) == value), kind)

    def build_train_loop(self, loop: Any) -> BaseLoop:
        """Build the training loop, which has to be of 0 steps or more."""
        built = super().build_train_loop(loop)
        if built.max_iters < 0:
            raise ValueError(f"{loop}: expected max_iters or max_epochs of 0 or more")
        return built

    def build_optim_wrapper(self, optim_wrapper: Any) -> OptimWrapper:
        """Build the optimizer, whose type MMEngine looks up without a look at what it finds."""
        if isinstance(optim_wrapper, dict):
            name = optim_wrapper.get("optimizer", {}).get("type")
            if isinstance(name, str) and OPTIMIZERS.get(name) is None:
                raise KeyError(f"{name} is not in the optimizer registry")
        return super().build_optim_wrapper(optim_wrapper)

    def build_param_scheduler(self, scheduler: Any) -> Any:
        """Build the schedulers; OneCycleLR, which ignores ``lr_mult``, is refused with one."""
        rates = {group["lr"] for group in self.optim_wrapper.param_groups}
        built = super().build_param_scheduler(scheduler)
        cycles = [one for one in built if isinstance(one, OneCycleLR)]
        if len(rates) > 1 and not all(isinstance(cycle.eta_max, list) for cycle in cycles):
            raise ValueError(
                "OneCycleLR gives all parameters the rate eta_max, also those of "
                "optim_wrapper.paramwise_cfg; use LinearLR and CosineAnnealingLR"
            )
        return built


def _make_printable(record: logging.LogRecord) -> bool:
    lines = record.getMessage().split("\n")
    record.msg, record.args = "\n".join(map(printable, lines)), ()
    return True


def _without_secrets(node: Any) -> Any:
    """Return a part of a config with the secrets of all URLs hidden."""
    if isinstance(node, str):
        return without_secrets(node)
    if isinstance(node, dict):
        return type(node)({key: _without_secrets(value) for key, value in node.items()})
    if isinstance(node, list | tuple):
        return type(node)(_without_secrets(value) for value in node)
    return node


for _name, _key in KEYS.items():
    setattr(ConfigRunner, _name, input_errors(_key)(getattr(ConfigRunner, _name)))
