"""Errors that a user can mend."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

# Exit status of a command that has explained an error to its user in one line.
USER_ERROR_STATUS = 2
LONGEST_LINE = 900


def without_secrets(text: str) -> str:
    """Return a text without the user and password of URLs."""
    return re.sub(r"(?<=://)[^/@\s]*@", "***@", text)


class UserInputError(ValueError):
    """Bad input of the user: a file, a field, an option.

    The message is one line that names the file, the field, what was expected and what to do. The
    command-line tools print it as ``error: <message>`` without a traceback and exit with status 2.

    The constructor takes the message alone, so that the error survives code that re-raises an
    exception as ``type(error)(new_message)``: registries of some MMEngine versions and PyTorch's
    data-loader workers do. What stands in files and cannot be printed on a line is escaped there,
    and what is longer than anyone reads is cut out.
    """

    def __init__(self, message: str) -> None:
        # Workers of data loaders re-raise it with their traceback, which the command looks into.
        super().__init__(message if "Traceback (" in str(message) else _one_line(message))


def _one_line(message: str) -> str:
    line = " ".join(str(message).splitlines())
    if not line.isprintable():
        line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
    if len(line) > LONGEST_LINE:
        line = f"{line[: LONGEST_LINE // 2]} ... {line[-LONGEST_LINE // 3 :]}"
    return line


@contextmanager
def input_errors(place: str) -> Iterator[None]:
    """Report any exception of the block as a :class:`UserInputError` that names ``place``.

    It belongs around what reads a user's config, model, data or checkpoint, where an exception
    means that these are wrong: ``error: model.head: TypeError: ...``. A ``UserInputError`` passes
    as it is; the original exception is its ``__cause__``. Works as a decorator, too.

    Args:
        place: The file, or the key of the config, that is being read.
    """
    try:
        yield
    except UserInputError:
        raise
    except Exception as error:
        problem = describe(error).removeprefix(f"{place}: ")  # file errors name the file themselves
        raise UserInputError(f"{place}: {problem}") from error


def describe(error: BaseException) -> str:
    """Type and message of an exception in one line; a file and what is wrong for file errors."""
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}"
    while isinstance(error, ImportError) and isinstance(error.__context__, ImportError):
        error = error.__context__  # MMEngine's import of custom modules hides what it caught
    # str() of a KeyError is the repr of its message.
    message = error.args[0] if isinstance(error, KeyError) and error.args else error
    text = " ".join(str(message).split())
    # A ValueError says by itself that a value is wrong.
    return text if type(error) is ValueError and text else f"{type(error).__name__}: {text}"


class DivergedError(UserInputError):
    """A training whose numbers are not finite any more; the weights are those before the step."""
