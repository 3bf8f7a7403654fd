"""Settings of a command line that would be taken in silence and have no effect."""

import difflib
import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.config import Config
from mmengine.runner import Runner

from mmttsrn.cli.user_errors import warn_user
from mmttsrn.errors import UserInputError, input_errors

MERGE_KEYS = ("_delete_", "_scope_")  # which MMEngine's merging of configs reads in any dict
RUNNER_KEYS = inspect.signature(Runner).parameters


def set_cfg_options(cfg: Config, options: Mapping[str, Any] | None) -> None:
    """Merge the options of a command line, by dotted key, into a config.

    MMEngine adds a new key in silence, and only the class that is built knows whether it takes it:
    such a key is set with a warning that names the closest ones. A key that leads nowhere, or names
    a variable that the config has already used, is a ``UserInputError``.
    """
    options = dict(options or {})
    paths = dict(_paths("", cfg.to_dict()))
    for option in options:
        key, _, rest = option.partition(".")
        if key not in paths or key in RUNNER_KEYS:
            continue
        fact = "a variable that the config file has already used, so setting it has no effect"
        places = [p for p, value in paths.items() if p.endswith(f".{key}") and value == paths[key]]
        if places:
            instead = " and ".join(f"{place}.{rest}".rstrip(".") for place in places)
            raise UserInputError(f"--cfg-options {option}: {key} is {fact}; set {instead}")
        warn_user(f"--cfg-options {option}: {key} may be {fact}; it is set all the same")
    with input_errors(f"--cfg-options {' '.join(options)}"):
        cfg.merge_from_dict(options)
    for option in options:
        parts = option.split(".")
        prefixes = [".".join(parts[: depth + 1]) for depth in range(len(parts))]
        new = next((prefix for prefix in prefixes if prefix not in paths), "")
        parent, _, key = new.rpartition(".")
        beside_new_type = {f"{new}.type", f"{parent}.type"} & options.keys()
        if new and key not in MERGE_KEYS and not beside_new_type:
            close = " or ".join(_close_paths(new, paths))
            hint = f"; did you mean {close}?" if close else "."
            fact = f"no such key in the config so far{hint}"
            warn_user(f"--cfg-options {option}: {fact} It is set all the same")


def warn_of_misspelt_keys(cfg: Config, name: str) -> None:
    """Warn of top-level keys that are nearly those of MMEngine's runner, which ignores others."""
    for key in cfg:
        close = difflib.get_close_matches(key, RUNNER_KEYS, 1, cutoff=0.85)
        if key not in RUNNER_KEYS and close:
            warn_user(f"{name}: {key}: the runner does not read this key; did you mean {close[0]}?")


def _close_paths(new: str, paths: Mapping[str, Any]) -> list[str]:
    """Return keys of the config that a new one may be meant for: siblings, or keys of its name."""
    parent, _, key = new.rpartition(".")
    siblings = {p.rpartition(".")[2]: p for p in paths if p.rpartition(".")[0] == parent}
    close = [siblings[name] for name in difflib.get_close_matches(key, siblings)]
    return close or [p for p in paths if p.rpartition(".")[2] == key][:3]


def _paths(prefix: str, node: Any) -> Iterator[tuple[str, Any]]:
    """Yield the dotted paths of a config with their values."""
    for key, value in node.items() if isinstance(node, dict) else enumerate(node):
        path = f"{prefix}.{key}" if prefix else str(key)
        yield path, value
        if isinstance(value, dict | list):
            yield from _paths(path, value)
