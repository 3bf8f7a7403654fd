"""Check that the options of a command line set keys that something reads."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from mmengine.config import Config
from mmengine.registry import (
    DATA_SAMPLERS,
    DATASETS,
    FUNCTIONS,
    HOOKS,
    LOG_PROCESSORS,
    LOOPS,
    METRICS,
    MODEL_WRAPPERS,
    MODELS,
    OPTIM_WRAPPER_CONSTRUCTORS,
    OPTIM_WRAPPERS,
    OPTIMIZERS,
    PARAM_SCHEDULERS,
    TASK_UTILS,
    TRANSFORMS,
    VISBACKENDS,
    VISUALIZERS,
    WEIGHT_INITIALIZERS,
    Registry,
)

from mmttsrn.engine.runner_keys import argument_names, keys_besides_arguments, runner_keys
from mmttsrn.errors import UserInputError

REGISTRIES: tuple[Registry, ...] = (
    MODELS, DATASETS, TRANSFORMS, TASK_UTILS, METRICS, HOOKS, VISUALIZERS, VISBACKENDS,
    DATA_SAMPLERS, OPTIMIZERS, OPTIM_WRAPPERS, OPTIM_WRAPPER_CONSTRUCTORS, PARAM_SCHEDULERS,
    LOOPS, LOG_PROCESSORS, WEIGHT_INITIALIZERS, MODEL_WRAPPERS, FUNCTIONS,
)  # fmt: skip

# Keys that MMEngine's config merging itself reads in any dict.
MERGE_KEYS = frozenset({"_delete_", "_scope_"})
# Dicts that hold names of the user's choice.
FREE_FORM_DICTS = frozenset({"custom_keys", "metainfo", "data_prefix", "backend_args"})


def check_cfg_options(cfg: Config, options: Mapping[str, Any]) -> None:
    """Refuse options that would have no effect.

    MMEngine adds a key that it does not know to the config in silence. Here a key has to exist in
    the config, or be read by the runner, or be an argument of the class that the ``type`` beside
    it names.

    Args:
        cfg: The config that the options will be merged into.
        options: Values by dotted key.

    Raises:
        UserInputError: A key is unknown; the message has the closest known ones.
    """
    content = cfg.to_dict()
    scope = content.get("default_scope", "mmengine")
    for path in options:
        _check_path(path, content, options, scope)


def _check_path(path: str, content: dict, options: Mapping[str, Any], scope: str) -> None:
    parts = path.split(".")
    if parts[0] in content and parts[0] not in runner_keys(""):
        raise UserInputError(_no_effect(path, content))
    node: Any = content
    for depth, part in enumerate(parts):
        parent = ".".join(parts[:depth])
        if isinstance(node, list):
            node = _list_entry(path, parent, part, node)
        elif not isinstance(node, dict):
            raise UserInputError(
                f"--cfg-options {path}: {parent} is {node!r}, which has no keys; set {parent} as a "
                "whole or in a config file"
            )
        elif part in node:
            node = node[part]
        else:
            known = _known_keys(parent, node, options, scope)
            new_hook = parent == "default_hooks" and f"default_hooks.{part}.type" in options
            if known is not None and part not in known and not new_hook:
                raise UserInputError(_unknown_key(path, part, parent, {*node, *known}, content))
            # Below a new key only the runner's own dicts are known.
            if not runner_keys(".".join(parts[: depth + 1])):
                return
            node = {}


def _list_entry(path: str, parent: str, part: str, entries: list) -> Any:
    if part.isdigit() and int(part) < len(entries):
        return entries[int(part)]
    raise UserInputError(
        f"--cfg-options {path}: {parent} is a list with the indices 0 to {len(entries) - 1}, "
        f"which {part!r} is not one of"
    )


def _known_keys(
    parent: str, node: dict, options: Mapping[str, Any], scope: str
) -> frozenset[str] | None:
    """Keys that may be added to a dict of the config; None if any may."""
    name = parent.rpartition(".")[2]
    if name in FREE_FORM_DICTS:
        return None
    type_ = options.get(f"{parent}.type", node.get("type"))
    if type_ is None or name == "clip_grad":  # whose type is "norm" or "value"
        return runner_keys(parent) | MERGE_KEYS
    factory = _resolve(type_, scope)
    if factory is None:
        return MERGE_KEYS | {"type"}
    arguments = argument_names(factory)
    if arguments is None:
        return None
    return arguments | keys_besides_arguments(factory) | MERGE_KEYS | {"type"}


def _resolve(type_: Any, scope: str) -> Callable | None:
    """The class or function that a ``type`` of a config names; None if there is none."""
    if not isinstance(type_, str):
        return type_
    for registry in REGISTRIES:
        with registry.switch_scope_and_registry(scope) as scoped:
            try:
                found = scoped.get(type_)
            except RuntimeError:  # how some MMEngine versions say that they found nothing
                continue
        if found is not None:
            return found
    return None


def _unknown_key(path: str, part: str, parent: str, known: set[str], content: dict) -> str:
    where = parent or "the config"
    prefix = f"{parent}." if parent else ""
    message = f"--cfg-options {path}: {where} has no key {part!r}"
    close = difflib.get_close_matches(part, sorted(known - MERGE_KEYS), n=3)
    if close:
        return f"{message}; did you mean {' or '.join(prefix + key for key in close)}?"
    elsewhere = _paths_of_key(part, content)
    if elsewhere:
        return f"{message}; did you mean {' or '.join(elsewhere[:3])}?"
    shown = known - MERGE_KEYS if parent else known & content.keys() & runner_keys("")
    return f"{message}; its keys are {', '.join(sorted(shown))}"


def _no_effect(path: str, content: dict) -> str:
    variable, _, rest = path.partition(".")
    message = (
        f"--cfg-options {path}: {variable} is a variable that the config file has already used, "
        "so setting it has no effect"
    )
    places = [place for place in _paths_of_key(variable, content) if place != variable]
    suffix = f".{rest}" if rest else ""
    return (
        f"{message}; set {' and '.join(place + suffix for place in places)}" if places else message
    )


def _paths_of_key(key: str, content: dict) -> list[str]:
    """Dotted paths of the config that end with a key."""
    return [path for path in _paths("", content) if path.rpartition(".")[2] == key]


def _paths(prefix: str, node: Any) -> Iterator[str]:
    children: Sequence[tuple[Any, Any]] = ()
    if isinstance(node, dict):
        children = list(node.items())
    elif isinstance(node, list):
        children = list(enumerate(node))
    for key, value in children:
        path = f"{prefix}.{key}" if prefix else str(key)
        yield path
        yield from _paths(path, value)
