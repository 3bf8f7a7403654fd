"""The account of a conversion in words, by module."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import takewhile

from mmttsrn.checkpoints.conversion import Conversion

NAMES_SHOWN = 4
NO_PART = "(none)"
COLUMNS = ("module", "loaded", "left out", "newly initialised")


def format_report(conversion: Conversion) -> str:
    """Table and lists of what was loaded, left out and is newly initialised.

    Args:
        conversion: The conversion.

    Returns:
        Lines of text. Every name that was left out is there, or the pattern that covers it.
    """
    lines = _table(conversion)
    if conversion.class_change:
        lines += ["", f"class layer re-initialised: {conversion.class_change}"]
    lines += _left_out_lines(conversion)
    lines += _initialised_lines(conversion)
    return "\n".join(lines)


def _table(conversion: Conversion) -> list[str]:
    loaded = _counts(conversion.loaded.values())
    left_out = Counter(entry.part or NO_PART for entry in conversion.left_out.values())
    initialised = _counts(conversion.initialised)
    parts = sorted({*loaded, *left_out, *initialised}, key=lambda part: (part == NO_PART, part))
    rows: list[Sequence[str]] = [COLUMNS]
    rows += [
        (part, str(loaded[part]), str(left_out[part]), str(initialised[part])) for part in parts
    ]
    rows.append(("total", *(str(counter.total()) for counter in (loaded, left_out, initialised))))
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
        lines.append(f"  {_summary(names)}: {reason if full_reason == reason else shown}")
    return ["", "left out of the checkpoint:", *lines] if lines else []


def _initialised_lines(conversion: Conversion) -> list[str]:
    groups: dict[str, list[str]] = {}
    for name in conversion.initialised:
        groups.setdefault(_part(name), []).append(name)
    lines = [f"  {_summary(names)}" for names in groups.values()]
    title = "newly initialised (not in the file; training draws them):"
    return ["", title, *lines] if lines else []


def _counts(names: Iterable[str]) -> Counter[str]:
    return Counter(_part(name) for name in names)


def _part(name: str) -> str:
    return name.partition(".")[0]


def _summary(names: Sequence[str]) -> str:
    """A few names, or the patterns that cover many, with their number."""
    if len(names) <= NAMES_SHOWN:
        return ", ".join(names)
    levels = zip(*(name.split(".") for name in names), strict=False)
    common = [level[0] for level in takewhile(lambda level: len(set(level)) == 1, levels)]
    tops = [".".join(common)] if common else list(dict.fromkeys(_part(name) for name in names))
    return f"{', '.join(f'{top}.*' for top in tops)} ({len(names)} tensors)"
