"""Let MMEngine read checkpoints by our loader.

``Runner.resume``, ``load_from``, ``init_cfg=dict(type="Pretrained")`` and the hooks of MMEngine all
read through ``CheckpointLoader``, by a table from the beginning of a path to a function. Its own
functions unpickle without restriction what the restricted unpickler has refused, and their list of
what the latter may call is not safe either (see :mod:`mmttsrn.checkpoints.safe_types`).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmengine.dist import barrier, get_rank
from mmengine.runner.checkpoint import get_external_models, get_torchvision_models

from mmttsrn.checkpoints.fetching import fetch
from mmttsrn.checkpoints.loading import load_checkpoint_file
from mmttsrn.checkpoints.state import as_checkpoint
from mmttsrn.errors import input_errors
from mmttsrn.host_internals import checkpoint_loaders, checkpoints_read_by

# Names that MMEngine knows the URL of.
NAME_TABLES = {
    "torchvision": get_torchvision_models,
    "modelzoo": get_torchvision_models,
    "open-mmlab": get_external_models,
    "openmmlab": get_external_models,
}


class CheckpointReader:
    """Reads checkpoints for MMEngine and, ahead of it, for the command that runs it.

    Args:
        allow_unsafe: Read files by the unrestricted unpickler.
    """

    __name__ = "load_from_mmttsrn"  # MMEngine logs it without its first ten letters

    def __init__(self, allow_unsafe: bool = False) -> None:
        self.allow_unsafe = allow_unsafe
        self._read_ahead: dict[str, Any] = {}

    def read_ahead(self, source: str) -> dict[str, Any]:
        """Read a checkpoint by :func:`read_checkpoint`, and keep it until MMEngine asks for it."""
        if source not in self._read_ahead:
            self._read_ahead[source] = read_checkpoint(source, allow_unsafe=self.allow_unsafe)
        return self._read_ahead[source]

    def keep(self, source: str, checkpoint: dict[str, Any]) -> None:
        """Keep a checkpoint that was made, for MMEngine to get it under the name ``source``."""
        self._read_ahead[source] = checkpoint

    def forget(self, source: str) -> None:
        """Drop a checkpoint that was read ahead."""
        self._read_ahead.pop(source, None)

    def __call__(self, filename: str, map_location: Any = None) -> Any:
        """Hand out what was read ahead, once, or read it now.

        It stays on the CPU, whatever ``map_location``, until it is copied into a module or an
        optimizer.
        """
        if filename in self._read_ahead:
            return self._read_ahead.pop(filename)
        return read_checkpoint(filename, allow_unsafe=self.allow_unsafe)


@contextmanager
def safe_host_loading(allow_unsafe: bool = False) -> Iterator[CheckpointReader]:
    """Let MMEngine read checkpoints by the reader that is yielded, without running their code.

    One within another changes nothing: what the outermost allows counts.
    """
    outer = next((x for x in checkpoint_loaders() if isinstance(x, CheckpointReader)), None)
    if outer is not None:
        yield outer
        return
    reader = CheckpointReader(allow_unsafe)
    with checkpoints_read_by(reader):
        yield reader


def read_checkpoint(source: str, *, allow_unsafe: bool = False) -> dict[str, Any]:
    """Read a checkpoint by :func:`load_for_host`: see :func:`as_checkpoint`.

    Raises:
        UserInputError: There is no such file, it cannot be read safely, or it holds no weights.
    """
    return as_checkpoint(load_for_host(source, allow_unsafe=allow_unsafe), source)


def load_for_host(source: str, *, allow_unsafe: bool = False) -> Any:
    """Read a checkpoint as MMEngine is to get it, to the CPU.

    ``meta.config`` is left out unless unsafe reading is allowed: on resuming MMEngine runs this
    text, which MMCV 1.x has written, as a program.

    Args:
        source: Path, URL, hub id, or a name that MMEngine has in its tables.
        allow_unsafe: Read it by the unrestricted unpickler.

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


def local_path(source: str, sha256: str | None = None) -> Path:
    """Return the path of a checkpoint's file; in a distributed run the first process downloads it.

    Processes that do not share its cache, as on another machine, download it then. The source is
    one of :func:`load_for_host`, its hash one of :func:`~mmttsrn.checkpoints.fetching.fetch`.
    """
    scheme, _, name = source.partition("://")
    if scheme in NAME_TABLES:
        with input_errors(f"{source}: not in the tables of MMEngine"):
            source = NAME_TABLES[scheme]()[name]
    if get_rank() == 0:
        fetch(source, sha256)
    barrier()
    return fetch(source, sha256)
