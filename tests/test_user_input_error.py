"""Errors of a user."""

import pytest

from mmttsrn.errors import (
    LONGEST_LINE,
    DivergedError,
    UserInputError,
    input_errors,
    printable,
    without_secrets,
)


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


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rtsp://bob:secret@cam:554/1?token=abc", "rtsp://***@cam:554/1?token=***"),
        ("https://token@host/x.pth", "https://***@host/x.pth"),
        ("rtsp://bob:p@s/s?w#rd@cam/1", "rtsp://***@cam/1"),
        ("rtsp://bob:pass word@cam/1", "rtsp://***@cam/1"),
        ("s3://key:secret@bucket/x", "s3://***@bucket/x"),
        ("http://cam/?channel=12&pwd=1234;k=a%20b#t=c", "http://cam/?channel=12&pwd=***;k=***#t=***"),
        ("https://host/x?X-Amz-Signature=12-3&v=", "https://host/x?X-Amz-Signature=***&v="),
        ("rtsp://cam/user=bob&password=x1&channel=1", "rtsp://cam/user=bob&password=***&channel=1"),
        ("rtsp://cam/user=bob_password=x1_channel=1.sdp", "rtsp://cam/user=bob_password=***"),
        (
            "('http://a/?k=ab', http://c:d@e): no, http://a/?k=ab: no.",
            "('http://a/?k=***', http://***@e): no, http://a/?k=***: no.",
        ),
        ("exceeded with url: /x?token=abc (by", "exceeded with url: /x?token=*** (by"),
        ("http://bob:secret@a/x: bad port: 'secret@a'", "http://***@a/x: bad port: '***@a'"),
    ],
)  # fmt: skip
def test_secrets_of_urls_are_hidden(text: str, shown: str) -> None:
    assert without_secrets(text) == shown
    assert str(UserInputError(text)) == shown
    with pytest.raises(UserInputError) as error, input_errors(text):
        raise KeyError(text)
    assert str(error.value).startswith(shown)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        *("video.mp4", "a/b@2x?c=d.mp4", "12", "bob@host:a.mp4", "", "caf\udce9 \n\x1b[2J.mp4"),
        *("https://host:8080/a@2x.png", "hf://owner/name@main/x.pth", "file:///a@b/c=d.mp4"),
    ],
)
def test_other_texts_have_no_secrets(text: str) -> None:
    assert without_secrets(text) == text


def test_secrets_of_a_worker_are_hidden() -> None:
    text = "Traceback (most recent call last):\n  x\nE: https://a:b@c/d"
    assert str(UserInputError(text)) == text.replace("a:b", "***")


def test_long_texts_are_searched_quickly() -> None:
    for part in ("://", "a", "a:", "a=b&", "'.", "pass", "?", "@"):
        without_secrets(f"http://{part * 50_000}{' ' + part * 50_000}")


def test_names_are_shown_on_one_line() -> None:
    assert printable("a\nb\t\x1b]0;x\x07\u202e\udce9") == r"a\nb\t\x1b]0;x\x07\u202e\udce9"
    for name in ("猫\u3000三花", "قطة", "👩\u200d🚀", "नर\u200dम", "1\u00a0kg"):
        assert printable(name) == name
    assert printable(12) == "12"
