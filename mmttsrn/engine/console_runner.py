"""MMEngine's runner with a terminal that one can read."""

import logging
from typing import Any

from mmengine.logging import MMLogger
from mmengine.runner import Runner

MOST_LINES = 12


class ConsoleRunner(Runner):
    """What it says of itself at length, such as the config, goes to the log file only.

    The terminal names it. Messages after the start, such as tables of AP, are shown as they are.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._formatters: dict[logging.Handler, logging.Formatter | None] = {}
        super().__init__(*args, **kwargs)
        for handler, formatter in self._formatters.items():
            handler.setFormatter(formatter)

    def build_logger(self, *args: Any, **kwargs: Any) -> MMLogger:
        """Build MMEngine's logger."""
        logger = super().build_logger(*args, **kwargs)
        files = [h.baseFilename for h in logger.handlers if isinstance(h, logging.FileHandler)]
        for handler in logger.handlers:
            if files and not isinstance(handler, logging.FileHandler):
                self._formatters[handler] = handler.formatter
                handler.setFormatter(_Shortened(handler.formatter or logging.Formatter(), files[0]))
        return logger


class _Shortened(logging.Formatter):
    """Keeps the first line of a long message and says where the rest is."""

    def __init__(self, inner: logging.Formatter, path: str) -> None:
        super().__init__()
        self.inner, self.path = inner, path

    def format(self, record: logging.LogRecord) -> str:
        """Format a message."""
        lines = [line for line in record.getMessage().splitlines() if line.strip(" -")]
        if record.levelno <= logging.INFO and len(lines) > MOST_LINES:
            record = logging.makeLogRecord(record.__dict__)
            record.msg, record.args = f"{lines[0]} {len(lines) - 1} lines, see {self.path}", None
        return self.inner.format(record)
