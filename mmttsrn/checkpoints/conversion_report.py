"""The account of a conversion in words, by module."""

from collections import Counter
from collections.abc import Sequence

from mmttsrn.checkpoints.conversion import Conversion
from mmttsrn.checkpoints.state import part_of

ITEMS_SHOWN = 4
NO_PART = "(none)"


def format_report(conversion: Conversion) -> str:
    """Return a table of what was loaded, left out and is newly initialised, and lists of names.

    Names are counted by module and reason, the first ones of each are shown.
    """
    lines = _table(conversion)
    left_out: dict[str, list[str]] = {}
    for name, entry in conversion.left_out.items():
        reason, _, detail = entry.reason.partition(": ")
        shown = f"{name} ({detail})" if detail else name
        left_out.setdefault(f"{entry.part or NO_PART}, {reason}", []).append(shown)
    if left_out:
        lines += ["", "left out of the checkpoint:"]
        lines += [f"  {reason}: {_shown(names)}" for reason, names in left_out.items()]
    new: dict[str, list[str]] = {}
    for name in conversion.initialised:
        new.setdefault(part_of(name), []).append(name)
    if new:
        lines += ["", "newly initialised (not in the file; training draws them):"]
        lines += [f"  {part}: {_shown(names)}" for part, names in new.items()]
    return "\n".join(lines)


def _table(conversion: Conversion) -> list[str]:
    counters = (
        Counter(map(part_of, conversion.loaded.values())),
        Counter(entry.part or NO_PART for entry in conversion.left_out.values()),
        Counter(map(part_of, conversion.initialised)),
    )
    parts = sorted({part for c in counters for part in c}, key=lambda part: (part == NO_PART, part))
    rows: list[tuple[str, ...]] = [("module", "loaded", "left out", "newly initialised")]
    rows += [(part, *(str(counter[part]) for counter in counters)) for part in parts]
    rows.append(("total", *(str(counter.total()) for counter in counters)))
    width = max(len(row[0]) for row in rows)
    return [f"{row[0]:{width}}  {row[1]:>6}  {row[2]:>8}  {row[3]:>17}" for row in rows]


def _shown(names: Sequence[str]) -> str:
    more = f", ... ({len(names)} tensors)" if len(names) > ITEMS_SHOWN else ""
    return ", ".join(names[:ITEMS_SHOWN]) + more
