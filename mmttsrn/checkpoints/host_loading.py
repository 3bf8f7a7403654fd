"""Letting MMEngine read checkpoints by our loader.

``Runner.resume``, ``load_from``, ``init_cfg=dict(type="Pretrained")`` and the hooks of MMEngine all
read through ``CheckpointLoader``, by a table from the beginning of a path to a function. Its own
functions unpickle without restriction what the restricted unpickler has refused, and their list of
what the latter may call is not safe either (see :mod:`mmttsrn.checkpoints.safe_types`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from mmengine.dist import barrier, get_rank
from mmengine.runner import CheckpointLoader
from mmengine.runner.checkpoint import get_external_models, get_torchvision_models

from mmttsrn.checkpoints.fetching import fetch
from mmttsrn.checkpoints.loading import load_checkpoint_file
from mmttsrn.errors import UserInputError

# Names that MMEngine knows the URL of.
NAME_TABLES = {
    "torchvision://": get_torchvision_models,
    "modelzoo://": get_torchvision_models,
    "open-mmlab://": get_external_models,
    "openmmlab://": get_external_models,
}


@contextmanager
def safe_host_loading(allow_unsafe: bool = False) -> Iterator[None]:
    """Within it, MMEngine reads checkpoints without running code from them.

    One within another changes nothing: what the outermost allows counts.

    Args:
        allow_unsafe: Read files by the unrestricted unpickler.
    """
    schemes = CheckpointLoader._schemes
    if any(getattr(loader, "func", None) is load_for_host for loader in schemes.values()):
        yield
        return
    loader = partial(load_for_host, allow_unsafe=allow_unsafe)
    # MMEngine logs the name without its first ten letters.
    loader.__name__ = "load_from_mmttsrn"  # type: ignore[attr-defined]
    CheckpointLoader._schemes = {"": loader}  # every path begins with nothing
    try:
        yield
    finally:
        CheckpointLoader._schemes = schemes


def load_for_host(source: str, map_location: Any = None, *, allow_unsafe: bool = False) -> Any:
    """Read a checkpoint for MMEngine.

    Args:
        source: Path, URL, hub id, or a name that MMEngine has in its tables.
        map_location: Ignored: what is read stays on the CPU until it is copied into a module or an
            optimizer.
        allow_unsafe: Read it by the unrestricted unpickler.

    Returns:
        The content. ``meta.config`` is left out unless unsafe reading is allowed: on resuming
        MMEngine runs this text, which MMCV 1.x has written, as a program.

    Raises:
        UserInputError: See :func:`fetch` and :func:`load_checkpoint_file`.
    """
    content = load_checkpoint_file(local_path(source), allow_unsafe=allow_unsafe)
    if allow_unsafe or not isinstance(content, Mapping):
        return content
    meta = content.get("meta")
    if isinstance(meta, Mapping) and "config" in meta:
        kept = {key: value for key, value in meta.items() if key != "config"}
        return {**content, "meta": kept}
    return content


def local_path(source: str) -> str:
    """Path of a checkpoint's file; in a distributed run the first process downloads it.

    Args:
        source: As for :func:`load_for_host`.
    """
    prefix = next((prefix for prefix in NAME_TABLES if source.startswith(prefix)), None)
    if prefix is not None:
        source = _look_up(source, prefix)
    elif "://" in source and not source.startswith(("http://", "https://", "file://", "hf://")):
        raise UserInputError(
            f"{source}: only paths, http(s):// and hf:// are read here; get the file and give its "
            "path"
        )
    if get_rank() == 0:
        path = fetch(source)
    barrier()
    return str(path if get_rank() == 0 else fetch(source))


def _look_up(source: str, prefix: str) -> str:
    name = source.removeprefix(prefix)
    try:
        urls = NAME_TABLES[prefix]()
    except ImportError as error:
        raise UserInputError(
            f"{source}: needs {error.name}, which is not installed; give a URL or a path"
        ) from error
    if name not in urls:
        raise UserInputError(f"{source}: MMEngine knows no such model")
    return urls[name]
