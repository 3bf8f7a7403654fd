"""The config that a checkpoint carries, read as data.

A config file is a program, and MMEngine runs the text that it has stored in a checkpoint as one. It
also takes any dotted name as a ``type``: ``type="os.system"`` calls the function. Here the text may
only assign literals and ``dict(...)``, which is all that MMEngine writes, and a model may only name
registered classes.
"""

import ast
from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.config import Config
from mmengine.registry import MODELS, TASK_UTILS, WEIGHT_INITIALIZERS

from mmttsrn import registry
from mmttsrn.errors import UserInputError, input_errors

# About one run on one machine, not about the model.
RUN_KEYS = ("work_dir", "load_from", "resume", "launcher")


def stored_config(checkpoint: Mapping[str, Any], source: str) -> Config:
    """Return the config that a checkpoint carries, checked to be nothing but a description.

    Args:
        checkpoint: Its content.
        source: Where it is from, for messages.

    Raises:
        UserInputError: There is none, or it is not safe to build a model from.
    """
    with input_errors(f"{source}: meta.cfg"):
        text = (checkpoint.get("meta") or {}).get("cfg")
        if not isinstance(text, str):
            raise UserInputError(f"{source}: meta.cfg: no config in this checkpoint; give its file")
        cfg = parse_config(text, source)
        check_model_types(cfg.model, source)
    return cfg


def parse_config(text: str, source: str) -> Config:
    """Read a config from the text that MMEngine stores, without running it.

    Args:
        text: Assignments of literals and ``dict(...)`` calls.
        source: Where it is from, for messages.

    Raises:
        UserInputError: The text holds anything else.
    """
    with input_errors(f"{source}: meta.cfg: not a config as MMEngine stores it"):
        return Config(dict(map(_assigned, ast.parse(text).body)))


def check_model_types(model: Mapping[str, Any], source: str) -> None:
    """Refuse the ``model`` of a config from a file that names anything but registered classes.

    Raises:
        UserInputError: A ``type`` is not the name of a registered model part.
    """
    registry.MODELS.import_from_location()  # and with it the host and its registries
    for name in _types(model):
        if not _is_registered(str(name)):
            raise UserInputError(
                f"{source}: meta.cfg: type {name!r} is not a registered part of a model; if it is "
                "one of your own, give the config file that imports it"
            )


def portable_text(cfg: Config) -> str:
    """Return the text of a config without what belongs to one run."""
    kept = {key: value for key, value in cfg.to_dict().items() if key not in RUN_KEYS}
    return Config(kept).pretty_text


def _assigned(statement: ast.stmt) -> tuple[str, Any]:
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            return name, _value(value)
    raise ValueError(f"line {statement.lineno} is not an assignment to a name")


def _value(node: Any) -> Any:
    """Evaluate a literal in which ``dict({"a.b": 1}, c=2)`` may stand for ``{"a.b": 1, "c": 2}``.

    MMEngine writes every dict so.
    """
    match node:
        case ast.Call(func=ast.Name(id="dict"), args=[] | [_] as args, keywords=words):
            return dict(*map(_value, args), **{str(word.arg): _value(word.value) for word in words})
        case ast.Dict(keys=keys, values=values):
            return dict(zip(map(_value, keys), map(_value, values), strict=True))
        case ast.List(elts=items):
            return list(map(_value, items))
        case ast.Tuple(elts=items):
            return tuple(map(_value, items))
    return ast.literal_eval(node)


def _types(node: Any) -> Iterator[Any]:
    if isinstance(node, Mapping):
        if "type" in node:
            yield node["type"]
        node = node.values()
    elif not isinstance(node, list | tuple):
        return
    for value in node:
        yield from _types(value)


def _is_registered(name: str) -> bool:
    """Whether a name, with or without scope, is that of a part of models in any registry."""
    scope, _, plain = name.rpartition(".")
    for root in (MODELS, TASK_UTILS, WEIGHT_INITIALIZERS):
        for node in (root, *root.children.values()):
            if scope in ("", node.scope):
                node.import_from_location()
                if plain in node.module_dict:
                    return True
    return False
