"""The config that a checkpoint carries, read as data.

A config file is a program, and MMEngine runs the text that it has stored in a checkpoint as one. It
also takes any dotted name as a ``type``: ``type="os.system"`` calls the function. Here the text may
only assign literals and ``dict(...)``, which is all that MMEngine writes, and a model may only name
registered classes.
"""

import ast
import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.config import Config
from mmengine.registry import MODELS, TASK_UTILS, WEIGHT_INITIALIZERS, Registry

from mmttsrn.errors import UserInputError
from mmttsrn.setup_env import HOST_SCOPE, register_all_modules

MODEL_REGISTRIES = (MODELS, TASK_UTILS, WEIGHT_INITIALIZERS)
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
    text = (checkpoint.get("meta") or {}).get("cfg")
    if not isinstance(text, str):
        raise UserInputError(f"{source}: meta.cfg: no config in this checkpoint; give its file")
    cfg = parse_config(text, source)
    if not isinstance(cfg.get("model"), Mapping):
        raise UserInputError(f"{source}: meta.cfg: has no model; give the config file")
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
    try:
        return Config(dict(_assignments(ast.parse(text))))
    except (SyntaxError, ValueError, TypeError, KeyError, RecursionError, MemoryError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserInputError(
            f"{source}: meta.cfg: not a config as MMEngine stores it ({reason}); give "
            "the config file"
        ) from error


def check_model_types(model: Mapping[str, Any], source: str) -> None:
    """Refuse the ``model`` of a config from a file that names anything but registered classes.

    Raises:
        UserInputError: A ``type`` is not the name of a registered model part.
    """
    register_all_modules()
    for name in _types(model):
        if not any(_is_registered(registry, name) for registry in MODEL_REGISTRIES):
            raise UserInputError(
                f"{source}: meta.cfg: type {name!r} is not a registered part of a model; if it is "
                "one of your own, give the config file that imports it"
            )


def portable_text(cfg: Config) -> str:
    """Return the text of a config without what belongs to one run."""
    kept = {key: value for key, value in cfg.to_dict().items() if key not in RUN_KEYS}
    return Config(kept).pretty_text


def config_hash(text: str) -> str:
    """SHA-256 of a config's text, the first 16 digits."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _assignments(tree: ast.Module) -> Iterator[tuple[str, Any]]:
    for statement in tree.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                yield name, ast.literal_eval(_DictCallsAsLiterals().visit(value))
            case _:
                raise ValueError(f"line {statement.lineno} is not an assignment to a name")


class _DictCallsAsLiterals(ast.NodeTransformer):
    """Turns every ``dict(a=1)`` into ``{"a": 1}``, which is a literal.

    MMEngine writes ``dict({"a.b": 1})`` where a key is no name.
    """

    def visit_Call(self, call: ast.Call) -> ast.expr:
        self.generic_visit(call)
        match call:
            case ast.Call(func=ast.Name(id="dict"), args=[]):
                literal = ast.Dict(keys=[], values=[])
            case ast.Call(func=ast.Name(id="dict"), args=[ast.Dict() as literal]):
                pass
            case _:
                return call  # which literal_eval refuses
        keys = [None if word.arg is None else ast.Constant(word.arg) for word in call.keywords]
        values = [word.value for word in call.keywords]
        return ast.Dict(keys=[*literal.keys, *keys], values=[*literal.values, *values])


def _types(node: Any) -> Iterator[Any]:
    if isinstance(node, Mapping):
        if "type" in node:
            yield node["type"]
        for value in node.values():
            yield from _types(value)
    elif isinstance(node, list | tuple):
        for value in node:
            yield from _types(value)


def _is_registered(root: Registry, name: Any) -> bool:
    """Whether a name, with or without scope, is one of a registry or of its children."""
    if not isinstance(name, str):
        return False
    scope, _, plain = name.rpartition(".")
    registries = {root.scope: root, **root.children}
    scopes = [scope] if scope else [root.scope, HOST_SCOPE]
    return any(s in registries and plain in registries[s].module_dict for s in scopes)
