"""The account of a conversion in words, by module."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from mmttsrn.checkpoints.conversion import Conversion

ITEMS_SHOWN = 4
NO_PART = "(none)"


def format_report(conversion: Conversion) -> str:
    """Return a table and lists of what was loaded, left out and is newly initialised, as lines.

    Every name that was left out is there, or the pattern that covers it.
    """
    lines = _table(conversion)
    if conversion.class_change:
        lines += ["", f"class layer re-initialised: {conversion.class_change}"]
    return "\n".join([*lines, *_left_out_lines(conversion), *_initialised_lines(conversion)])


def _table(conversion: Conversion) -> list[str]:
    counters = (
        Counter(map(_part, conversion.loaded.values())),
        Counter(entry.part or NO_PART for entry in conversion.left_out.values()),
        Counter(map(_part, conversion.initialised)),
    )
    parts = sorted({part for c in counters for part in c}, key=lambda part: (part == NO_PART, part))
    rows = [["module", "loaded", "left out", "newly initialised"]]
    rows += [[part, *(str(counter[part]) for counter in counters)] for part in parts]
    rows.append(["total", *(str(counter.total()) for counter in counters)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]


def _left_out_lines(conversion: Conversion) -> list[str]:
    groups: dict[tuple[str, str], list[str]] = {}
    for name, entry in conversion.left_out.items():
        # Reasons are alike up to the shapes behind a colon.
        groups.setdefault((entry.part, entry.reason.partition(":")[0]), []).append(name)
    lines = []
    for (_, reason), names in groups.items():
        full_reason = conversion.left_out[names[0]].reason
        shown = f"{reason}, e.g.{full_reason.removeprefix(reason).removeprefix(':')}"
        summary = _summary(names, [*conversion.loaded, *conversion.left_out])
        lines.append(f"  {summary}: {reason if full_reason == reason else shown}")
    return ["", "left out of the checkpoint:", *lines] if lines else []


def _initialised_lines(conversion: Conversion) -> list[str]:
    groups: dict[str, list[str]] = {}
    for name in conversion.initialised:
        groups.setdefault(_part(name), []).append(name)
    own = [*conversion.loaded.values(), *conversion.initialised]
    lines = [f"  {_summary(names, own)}" for names in groups.values()]
    title = "newly initialised (not in the file; training draws them):"
    return ["", title, *lines] if lines else []


def _part(name: str) -> str:
    return name.partition(".")[0]


def _summary(names: Sequence[str], universe: Iterable[str]) -> str:
    """Return a few names of a universe, or the patterns that cover many, with their number."""
    if len(names) <= ITEMS_SHOWN:
        return ", ".join(names)
    patterns = list(_patterns(set(names), set(universe)))
    if len(patterns) > ITEMS_SHOWN:  # scattered ones
        patterns = list(dict.fromkeys(f"some of {_part(name)}.*" for name in names))
    return f"{', '.join(patterns)} ({len(names)} tensors)"


def _patterns(names: set[str], universe: set[str], parent: str = "") -> Iterator[str]:
    """Yield the fewest patterns that cover the names and no other one of the universe."""
    levels: dict[str, set[str]] = {}
    for name in sorted(universe):
        levels.setdefault(name[len(parent) :].partition(".")[0], set()).add(name)
    for level, below in levels.items():
        if not below <= names:
            if below & names:
                yield from _patterns(names, below, f"{parent}{level}.")
        elif len(below) == 1:
            yield from below
        else:
            yield f"{parent}{level}.*"
