"""Fonts for names in any script; those of Matplotlib stand for the installed ones."""

import logging
from collections.abc import Iterator
from pathlib import Path

import matplotlib
import pytest

from mmttsrn.formats import fonts
from mmttsrn.formats.fonts import drawable, font_of, text_runs

FOLDER = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
DEFAULT = FOLDER / "DejaVuSans.ttf"


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Paths of the fonts that are found; none at first."""
    paths: list[str] = []
    monkeypatch.setattr("matplotlib.font_manager.findSystemFonts", lambda: paths)
    monkeypatch.setattr(fonts, "_reported", set())
    caches = (font_of, fonts._other_fonts)
    for cached in caches:
        cached.cache_clear()
    yield paths
    for cached in caches:
        cached.cache_clear()


def test_what_no_font_has_is_shown_as_codes_and_said_once(
    installed: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert drawable("猫 Größe") == r"\u732b Größe"
        assert drawable("犬🧿") == r"\u72ac\U0001f9ff"
    (message,) = caplog.messages
    assert message.startswith("no installed font has 猫: ")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("plain_name $x$", "plain_name $x$"),
        ("a\nb\x1b[2J", r"a\nb\x1b[2J"),
        ("Größe, ночь, νύχτα, قطة", "Größe, ночь, νύχτα, قطة"),
        ("\u2764\ufe0f", "\u2764"),
    ],
)
def test_other_names_need_no_installed_font(
    installed: list[str], caplog: pytest.LogCaptureFixture, name: str, shown: str
) -> None:
    assert drawable(name) == shown
    assert {path for path, _ in text_runs(shown)} == {DEFAULT}
    assert not caplog.messages


def test_a_plain_font_that_has_the_character_is_taken(installed: list[str], tmp_path: Path) -> None:
    damaged = tmp_path / "A.ttf"
    damaged.write_bytes(b"nothing")
    mono = FOLDER / "DejaVuSansMono.ttf"
    names = ("LastResortHE-Regular.ttf", "DejaVuSansMono-Bold.ttf", mono.name)
    installed += [str(damaged), *(str(FOLDER / name) for name in names)]
    assert drawable("arc \u2312 猫") == "arc \u2312 \\u732b"
    assert text_runs("arc \u2312\u0301 \u2312 0.9") == [
        (DEFAULT, "arc "),
        (mono, "\u2312\u0301 \u2312 "),
        (DEFAULT, "0.9"),
    ]


@pytest.mark.parametrize("name", ["猫", "고양이", "बिल्ली", "แมว"])
def test_fonts_of_this_machine(name: str) -> None:
    if not all(map(font_of, name)):
        pytest.skip("no installed font has it")
    assert drawable(name) == name
    assert "".join(run for _, run in text_runs(name)) == name
