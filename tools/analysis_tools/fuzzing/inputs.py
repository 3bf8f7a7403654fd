"""What the inputs of all readers have in common: values of json, changes of bytes."""

import re
from random import Random
from typing import Any, NamedTuple

from broken_inputs.mutation import HUGE, INFINITE, NAN
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy


class Input(NamedTuple):
    """A file to read.

    Attributes:
        name: Its name.
        content: Its bytes.
    """

    name: str
    content: bytes


def require(is_right: object, problem: str) -> None:
    """Raise an AssertionError unless something holds."""
    if not is_right:
        raise AssertionError(problem)


NUMBERS = st.one_of(
    st.integers(-3, 70),
    st.integers(),
    st.floats(),
    st.sampled_from(
        [2**31 - 1, 2**31, 2**32, 2**63 - 1, 2**63, 2**64, -(2**63), HUGE, 10**30, 10**400]
    ),
    st.sampled_from([NAN, INFINITE, -INFINITE, 1e308, -0.0, 0.5, 1e-320]),
)
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=12)  # with lone surrogates
# The characters of compressed masks, and their neighbours.
COUNTS = st.text(st.characters(min_codepoint=45, max_codepoint=115), max_size=30)
TEXTS = st.one_of(ANY_TEXT, COUNTS, st.sampled_from(["", "\0", "\n", "\ud800", "0" * 5000, "id"]))
PLAIN = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS)
VALUES: SearchStrategy[Any] = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
# What is written into bytes: numbers at the edges of their types, and structure.
TOKENS = (b"\0" * 8, b"\xff" * 8, b"\xff\xff\xff\x7f", b"\0\0\0\x80", b'"', b"{", b"[", b"]", b",",
          b"-", b"1e999", b"\\ud800")  # fmt: skip
KINDS = ("flip", "flip", "cut", "insert", "overwrite", "repeat", "end")


def changed(good: SearchStrategy[bytes]) -> SearchStrategy[bytes]:
    """Change bytes in a few places."""
    return st.builds(
        lambda content, number: change_bytes(content, Random(number)), good, st.integers(0, 2**32)
    )


def vary_bytes(item: Input, random: Random) -> Input:
    """Return an input like another."""
    return item._replace(content=change_bytes(item.content, random))


def change_bytes(content: bytes, random: Random) -> bytes:
    """Change bytes in up to five places; half of them at the end, where archives have tables."""
    data = bytearray(content)
    if random.random() < 0.3:  # numbers only, which leaves the structure as it is
        for match in random.sample(found := [*re.finditer(rb"\d", content)], min(2, len(found))):
            data[match.start()] = random.choice(b"0123456789")
        return bytes(data)
    for _ in range(random.randint(1, 5)):
        at = random.randint(0, len(data))
        if random.random() < 0.5:
            at = len(data) - at % min(len(data) + 1, 300)
        size = random.randint(1, 60)
        token = random.choice([*TOKENS, random.randbytes(random.randint(1, 8))])
        kind = random.choice(KINDS)
        if kind == "flip" and at < len(data):
            data[at] ^= 1 << size % 8
        elif kind == "cut":
            del data[at : at + size]
        elif kind == "insert":
            data[at:at] = token
        elif kind == "overwrite":
            data[at : at + len(token)] = token
        elif kind == "repeat":
            data[at:at] = data[at : at + size] * (size % 5)
        elif kind == "end" and size < 8:
            del data[at:]
    return bytes(data)
