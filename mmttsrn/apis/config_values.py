"""Check of values in a config that end in tracebacks of others, before anything is built."""

import logging
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from mmengine.config import Config
from mmengine.registry import OPTIMIZERS

from mmttsrn.errors import UserInputError

Test = Callable[[Any], bool]


def _is_whole(least: int) -> Test:
    return lambda value: type(value) is int and value >= least


def _is_optimizer(value: Any) -> bool:
    return not isinstance(value, str) or OPTIMIZERS.get(value) is not None


def _is_rate(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value < math.inf


def _is_dict(value: Any) -> bool:
    return isinstance(value, Mapping)


def _is_pipeline(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) > 0 and all(map(_is_dict, value))


def _is_scheduler(value: Any) -> bool:
    return value is None or _is_dict(value) or isinstance(value, list | tuple)


def _is_evaluator(value: Any) -> bool:
    return (
        value is None or _is_dict(value) or (isinstance(value, list) and all(map(_is_dict, value)))
    )


def _is_level(value: Any) -> bool:
    return isinstance(logging.getLevelName(value), int)


def _is_seed(value: Any) -> bool:
    return value is None or (type(value) is int and 0 <= value < 2**32)


A_DICT = (_is_dict, "a dict")
ABOVE_0 = (_is_whole(1), "a whole number above 0")
# By dotted key: what a value has to be, where there is one.
VALUES: dict[str, tuple[Test, str]] = {
    "model": A_DICT,
    "model.backbone": A_DICT,
    "model.head": A_DICT,
    "model.head.num_classes": ABOVE_0,
    "model.head.num_frames": ABOVE_0,
    "model.head.num_instances": ABOVE_0,
    "train_cfg.max_iters": (_is_whole(0), "a whole number"),
    "train_cfg.max_epochs": (_is_whole(0), "a whole number"),
    "optim_wrapper.optimizer.type": (_is_optimizer, "an optimizer of PyTorch or MMEngine"),
    "optim_wrapper.optimizer.lr": (_is_rate, "a finite number, not below 0"),
    "log_level": (_is_level, "DEBUG, INFO, WARNING or ERROR"),
    "randomness.seed": (_is_seed, "a whole number from 0 to 2**32 - 1, or None"),
    "val_evaluator": (_is_evaluator, "a dict or a list of dicts"),
    "test_evaluator": (_is_evaluator, "a dict or a list of dicts"),
    "param_scheduler": (_is_scheduler, "a dict, a list of dicts or None"),
}
LOADER_VALUES: dict[str, tuple[Test, str]] = {
    "batch_size": ABOVE_0,
    "num_workers": (_is_whole(0), "a whole number"),
    "dataset": A_DICT,
    "dataset.data_prefix": A_DICT,
    "dataset.pipeline": (_is_pipeline, "a list of dicts that is not empty"),
}
for _split in ("train", "val", "test"):
    VALUES |= {f"{_split}_dataloader.{key}": rule for key, rule in LOADER_VALUES.items()}


def check_values(cfg: Config | Mapping[str, Any]) -> None:
    """Check values of a config, as far as they are there.

    Raises:
        UserInputError: One is wrong; the message names its key.
    """
    content = cfg.to_dict() if isinstance(cfg, Config) else cfg
    for key, (test, expected) in VALUES.items():
        for value in _at(content, key.split(".")):
            if not test(value):
                raise UserInputError(
                    f"config: {key}={_short(value)}: expected {expected}; check the config and"
                    " --cfg-options"
                )
    for key, value in _types("", content):
        if not isinstance(value, str) and not callable(value):
            raise UserInputError(
                f"config: {key}={_short(value)}: expected the name of a registered class; check"
                " the config and --cfg-options"
            )


def _at(node: Any, keys: list[str]) -> Iterator[Any]:
    """Yield the value at a path, if there is one."""
    if not keys:
        yield node
    elif isinstance(node, Mapping) and keys[0] in node:
        yield from _at(node[keys[0]], keys[1:])


def _types(place: str, node: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(node, Mapping):
        for key, value in node.items():
            if key == "type":
                yield f"{place}type", value
            yield from _types(f"{place}{key}.", value)
    elif isinstance(node, list | tuple):
        for index, value in enumerate(node):
            yield from _types(f"{place}{index}.", value)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}..."
