"""Check of settings: what cannot be set by ``--cfg-options``, what looks misspelt."""

import difflib
import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.config import Config
from mmengine.runner import Runner

from mmttsrn.cli.user_errors import warn_user
from mmttsrn.errors import UserInputError

MERGE_KEYS = ("_delete_", "_scope_")  # which MMEngine's merging of configs reads in any dict


def set_cfg_options(cfg: Config, options: Mapping[str, Any] | None) -> None:
    """Merge the options of a command line, by dotted key, into a config, after a look at them.

    Of a key that is new to the config a warning tells; what cannot have an effect is refused.

    MMEngine adds a new key in silence; only the class that is built knows whether it takes it.

    Raises:
        UserInputError: A path leads below a value or out of a list, or names a used variable.
    """
    content = cfg.to_dict()
    paths = dict(_paths("", content))
    options = dict(options or {})
    for option in options:
        _check_variable(option, content, paths)
        new = _first_new_path(option, content)
        if new and not {f"{new}.type", f"{new.rpartition('.')[0]}.type"} & options.keys():
            close = " or ".join(_close_paths(new, paths))
            hint = f"; did you mean {close}?" if close else "."
            fact = f"no such key in the config so far{hint}"
            warn_user(f"--cfg-options {option}: {fact} It is set all the same")
    cfg.merge_from_dict(options)


def warn_of_misspelt_keys(cfg: Config, name: str) -> None:
    """Tell of top-level keys that are nearly those of MMEngine's runner, which ignores others."""
    known = inspect.signature(Runner).parameters
    for key in cfg:
        close = difflib.get_close_matches(key, known, 1, cutoff=0.85)
        if key not in known and close:
            warn_user(f"{name}: {key}: the runner does not read this key; did you mean {close[0]}?")


def _check_variable(option: str, content: dict, paths: Mapping[str, Any]) -> None:
    """Refuse a top-level key that the runner does not take and whose value stands elsewhere."""
    key, _, rest = option.partition(".")
    if key not in content or key in inspect.signature(Runner).parameters:
        return
    places = [p for p, value in paths.items() if p.endswith(f".{key}") and value == content[key]]
    variable = "a variable that the config file has already used, so setting it has no effect"
    if places:
        instead = " and ".join(f"{place}.{rest}" if rest else place for place in places)
        raise UserInputError(f"--cfg-options {option}: {key} is {variable}; set {instead}")
    warn_user(f"--cfg-options {option}: {key} may be {variable}; it is set all the same")


def _first_new_path(option: str, content: dict) -> str:
    """Return the shortest part of a path that the config lacks; empty if it has it all."""
    node, parts = content, option.split(".")
    for depth, part in enumerate(parts):
        parent = ".".join(parts[:depth])
        if isinstance(node, dict):
            if part not in node:
                return "" if part in MERGE_KEYS else ".".join(parts[: depth + 1])
            node = node[part]
        elif isinstance(node, list) and part.isdigit() and int(part) < len(node):
            node = node[int(part)]
        else:
            indices = isinstance(node, list) and f"a list with the indices 0 to {len(node) - 1}"
            fact = f"{parent} is {indices or f'{node!r}, which has no keys'}"
            raise UserInputError(f"--cfg-options {option}: {fact}; set {parent} as a whole")
    return ""


def _close_paths(new: str, paths: Mapping[str, Any]) -> list[str]:
    """Return paths of the config that a new one may be meant for."""
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
