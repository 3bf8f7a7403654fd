"""Errors of a user."""

import pytest

from mmttsrn.errors import LONGEST_LINE, DivergedError, UserInputError


@pytest.mark.parametrize("kind", [UserInputError, DivergedError])
@pytest.mark.parametrize(
    ("message", "line"),
    [
        ("x.json: videos: missing", "x.json: videos: missing"),
        ("x.json: Katze für größer 日本", "x.json: Katze für größer 日本"),
        ("x\n\ny\x0bz", "x  y z"),
        ("x: \ud800\x00\x1b[2J", "x: \\ud800\\x00\\x1b[2J"),
    ],
)
def test_the_message_is_one_line_that_can_be_printed(kind: type, message: str, line: str) -> None:
    assert str(kind(message)) == line
    line.encode()


def test_a_long_message_keeps_its_ends() -> None:
    text = str(UserInputError(f"x.json: {'0' * 5000}; correct it"))
    assert len(text) < LONGEST_LINE
    assert text.startswith("x.json: 000")
    assert text.endswith("000; correct it")
