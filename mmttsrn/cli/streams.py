"""What a command prints to: every name can be shown, no secret is, and nobody needs to read it."""

import errno
import io
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mmttsrn.errors import without_secrets


def prepare_streams() -> None:
    """Make stdout and stderr of this process what a command can rely on.

    Characters that the encoding lacks are escaped, and secrets of URLs are hidden. Once a pipe has
    lost its reader, such as ``head``, or a terminal is gone, the command goes on without printing;
    so do libraries and programs that it starts. A stream that is closed counts as one of those.
    """
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream = getattr(sys, name)
        if stream is None:
            null = os.open(os.devnull, os.O_WRONLY)  # takes the number, lest a file of results does
            setattr(sys, name, os.fdopen(null, "w", encoding="utf-8", errors="backslashreplace"))
        elif type(stream) is io.TextIOWrapper and stream.fileno() == number:
            output = _Output(number, "w", closefd=False)
            with output.goes_on():
                stream.flush()
            # A line goes out at once: what a buffer holds would fail once more at the end.
            setattr(sys, name, _Text(output, stream.encoding, "backslashreplace", None, True))


class _Text(io.TextIOWrapper):
    """Text without secrets."""

    def write(self, text: str) -> int:
        super().write(without_secrets(text))
        return len(text)


class _Output(io.FileIO):
    """Bytes that are dropped once nobody can read them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # A terminal that is gone fails like a broken disk.
        self._gone = {errno.EPIPE, *([errno.EIO] if self.isatty() else [])}

    def write(self, data: Any) -> int:
        rest = memoryview(data)
        with self.goes_on():
            while rest:
                written = super().write(rest)
                if written is None:  # a stream that does not block has to be waited for
                    select.select([], [self], [])
                rest = rest[written or 0 :]
        return len(data)

    @contextmanager
    def goes_on(self) -> Iterator[None]:
        """End the block and drop what comes later if the reader of this output has gone."""
        try:
            yield
        except OSError as error:
            if error.errno not in self._gone:
                raise
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self.fileno())
            os.close(null)
