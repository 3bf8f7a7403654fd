"""Installed fonts, for names in any script."""

import logging
import unicodedata
from functools import cache
from pathlib import Path

from mmttsrn.errors import printable

# Categories of characters that are drawn together with the one before them.
_DEPENDENT = {"Cf", "Mn", "Me"}
_reported: set[str] = set()


def drawable(text: str) -> str:
    r"""Return a name as pictures show it: on one line, in characters that fonts have.

    What no installed font has is escaped, as in ``\u732b``; the first time, a line of the log says
    so.
    """
    shown = printable(text)
    if shown.isascii():
        return shown
    characters = [c for c in shown if not "\ufe00" <= c <= "\ufe0f"]  # variants of emoji
    missing = [c for c in characters if font_of(c) is None]
    if missing and not _reported:
        logging.getLogger(__name__).warning(
            "no installed font has %s: pictures show such characters as codes; install a font "
            "that has them, such as Noto",
            "".join(missing),
        )
    _reported.update(missing)
    return "".join(
        c if c not in missing else c.encode("unicode_escape").decode() for c in characters
    )


def text_runs(text: str) -> list[tuple[Path, str]]:
    """Cut a :func:`drawable` text into pieces, each with the font file that has its characters."""
    runs: list[tuple[Path, str]] = []
    for character in text:
        font = font_of(character)
        goes_on = character == " " or unicodedata.category(character) in _DEPENDENT
        if runs and (goes_on or font == runs[-1][0]):
            runs[-1] = (runs[-1][0], runs[-1][1] + character)
        elif font is not None:
            runs.append((font, character))
    return runs


@cache
def font_of(character: str) -> Path | None:
    """Return the font to draw a character with, if any has it: that of Matplotlib, or another."""
    default, code_points = _default_font()
    return default if ord(character) in code_points else _other_fonts().get(ord(character))


@cache
def _default_font() -> tuple[Path, frozenset[int]]:
    """Return the font that Matplotlib brings along, and what it has."""
    from matplotlib import get_data_path  # takes long to import
    from matplotlib.ft2font import FT2Font

    path = Path(get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    return path, frozenset(FT2Font(str(path)).get_charmap())


@cache
def _other_fonts() -> dict[int, Path]:
    """Return for each code point the first of the installed fonts that has it, plain ones first."""
    from matplotlib.font_manager import findSystemFonts
    from matplotlib.ft2font import FT2Font

    ranked = []
    for name in findSystemFonts():
        try:
            font = FT2Font(name)
        except RuntimeError:  # a damaged file
            continue
        is_plain = not font.style_flags and font.style_name in ("Regular", "Book", "Medium")
        # Bitmaps have one size only; the last resort has a box for everything.
        if font.scalable and "lastresort" not in font.family_name.replace(" ", "").lower():
            ranked.append((not is_plain, name))
    found: dict[int, Path] = {}
    for _, name in sorted(ranked):
        for code_point in FT2Font(name).get_charmap():
            found.setdefault(code_point, Path(name))
    return found
