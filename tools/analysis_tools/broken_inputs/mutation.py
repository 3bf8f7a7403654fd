"""Change of one place in the content of a json file."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

NAN, INFINITE = float("nan"), float("inf")
HUGE = 10**12
MISSING = object()
# Written instead of a value that json.dumps cannot hold so deep.
DEEP = "<deep>"
DEPTH = 100_000

Change = Callable[[Any], Any]


def put(path: Sequence[str | int], value: Any) -> Change:
    """Set what stands at a path of keys and indices, or remove it (``MISSING``)."""

    def change(content: Any) -> Any:
        if not path:
            return value
        node = content
        for key in path[:-1]:
            node = node[key]
        if value is MISSING:
            del node[path[-1]]
        else:
            node[path[-1]] = value
        return content

    return change


def copied(path: Sequence[str | int], **changes: Any) -> Change:
    """Append a copy of an entry to its list, with some keys changed."""

    def change(content: Any) -> Any:
        entries = content
        for key in path[:-1]:
            entries = entries[key]
        entries.append({**entries[path[-1]], **changes})
        return content

    return change


def written(content: Any, path: Path) -> Path:
    """Write content as json; NaN and infinity as Python writes them."""
    text = json.dumps(content)
    path.write_text(text.replace(f'"{DEEP}"', "[" * DEPTH + "]" * DEPTH))
    return path


def shown(path: Sequence[str | int], value: Any) -> str:
    """Name of a change."""
    place = ".".join(map(str, path)) or "top level"
    if value is MISSING:
        return f"{place} missing"
    text = repr(value)
    return f"{place} = {text if len(text) <= 30 else text[:27] + '...'}"
