"""Everything that the package changes inside its host packages without a public way.

The tests of this module fail, and say so, where a version of a host has changed it.
"""

import importlib
import io
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any

from mmengine.config import utils as config_utils


def name_config_package(package: str) -> None:
    """Let configs of a package be named ``package::path`` (MMEngine's ``get_config``, ``_base_``).

    MMEngine looks names up in a fixed table and has no function that adds to it.
    """
    config_utils.MODULE2PACKAGE.setdefault(package, package)


def import_quietly(module: str) -> None:
    """Import a module of a host without its remarks on optional packages, which nothing here needs.

    MMDetection prints them; what else is printed stays.
    """
    printed = io.StringIO()
    with warnings.catch_warnings(), redirect_stdout(printed):
        warnings.filterwarnings("ignore", "faster_coco_eval is not installed")
        importlib.import_module(module)
    for line in printed.getvalue().splitlines():
        if not line.startswith("Could not import OneDL"):
            print(line)


def checkpoint_loaders() -> list[Callable[[str, Any], Any]]:
    """Return the functions by which MMEngine reads checkpoints now."""
    from mmengine.runner import CheckpointLoader  # here: it imports much

    return list(CheckpointLoader._schemes.values())


@contextmanager
def checkpoints_read_by(loader: Callable[[str, Any], Any]) -> Iterator[None]:
    """Let MMEngine read every checkpoint by one function, and afterwards as before.

    ``CheckpointLoader.register_scheme`` adds a function for one beginning of a path. It can neither
    be taken back, nor does it reach paths that begin otherwise, which would be read unsafely.

    Args:
        loader: Called with the path and the place that its tensors are to go to; has a
            ``__name__``, which MMEngine logs.
    """
    from mmengine.runner import CheckpointLoader

    schemes = CheckpointLoader._schemes
    CheckpointLoader._schemes = {"": loader}  # every path begins with nothing
    try:
        yield
    finally:
        CheckpointLoader._schemes = schemes


def resumes_latest(runner: Any) -> bool:
    """Whether a runner is about to look for the latest checkpoint of its work folder."""
    return bool(runner._resume) and runner._load_from is None


def resume_from(runner: Any, path: str) -> None:
    """Let a runner that is about to resume do so from a file."""
    runner._load_from = path


def list_random_methods_once(transform: Any) -> None:
    """Remove the doubles from MMCV's lists of random methods, those of inner transforms as well.

    A subclass that overrides a method appends it to the list of its base. MMCV takes that for a
    second draw, and refuses to share it among the frames of a clip.
    """
    if hasattr(transform, "_methods_with_randomness"):
        transform._methods_with_randomness = list(dict.fromkeys(transform._methods_with_randomness))
    if isinstance(transform, Iterable):
        for inner in transform:
            list_random_methods_once(inner)
