"""Note of a run that a program does not finish at once, so that the same program goes on with it.

It stands in the work folder from the start of a run until everything that the program does with it
is done. ``last_checkpoint`` next to it is of that run: an older one is removed when the run starts.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmttsrn.checkpoints.run_checkpoints import POINTER, is_whole
from mmttsrn.formats.output_files import replace_file

NOTE = "unfinished.json"


def begin(work_dir: Path, settings: Mapping[str, str]) -> Path | None:
    """Find where a run with the same settings goes on; otherwise note that it begins.

    Returns:
        The last checkpoint of a run with the same settings that was not finished.
    """
    found = _unfinished(work_dir)
    if found is not None and found[0] == dict(settings):
        return found[1]
    finish(work_dir)
    (work_dir / POINTER).unlink(missing_ok=True)
    replace_file(work_dir / NOTE, lambda partial: partial.write_text(json.dumps(settings)))
    return None


def finish(work_dir: Path) -> None:
    """Note that everything is done."""
    (work_dir / NOTE).unlink(missing_ok=True)


def goes_on(work_dir: Path) -> bool:
    """Whether the same program would go on from a checkpoint."""
    return _unfinished(work_dir) is not None


def _unfinished(work_dir: Path) -> tuple[Any, Path] | None:
    """Return settings and last checkpoint of an unfinished run that has a whole one."""
    try:
        settings = json.loads((work_dir / NOTE).read_text())
        path = work_dir / (work_dir / POINTER).read_text().strip()
        return (settings, path) if is_whole(path) else None
    except (OSError, ValueError):
        return None
