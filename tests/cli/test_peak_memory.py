"""Peak memory of a command."""

import sys

import pytest

from mmttsrn.cli.peak_memory import peak_memory


def test_peak_is_that_of_the_command_alone():
    ballast = bytearray(300_000_000)  # of this process, which must not count
    small = peak_memory([sys.executable, "-c", "print('done')"])
    large = peak_memory([sys.executable, "-c", "bytearray(b'x') * 200_000_000"])
    del ballast
    assert small.output == "done\n"
    assert small.memory < 100
    assert 200 < large.memory < 300


def test_failed_command_raises_its_last_lines():
    with pytest.raises(RuntimeError, match="ValueError: broken"):
        peak_memory([sys.executable, "-c", "raise ValueError('broken')"])
