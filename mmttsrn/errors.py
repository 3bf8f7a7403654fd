"""Errors that a user can mend, and what may be shown of texts that come from elsewhere."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

# Exit status of a command that has explained an error to its user in one line.
USER_ERROR_STATUS = 2
LONGEST_LINE = 900

# What comes after the scheme of a URL, or after its host as urllib3 names it in errors.
_URL = re.compile(r"(?:(?<=://)|(?<=\burl: /))\S+")
# ``user:password@``. A password may have any characters if its user has not escaped them; what
# follows a colon is no password but a port where it is a number before the path.
_USER = re.compile(r"(?<=://)([^\s/?#:]*:(?!\d*(?:[/?#\s]|$))\S*|[^/?#\n]*)@")
# Names and values of a query, or of a path in the manner of cameras, less what a sentence adds.
_VALUE = re.compile(r"((?<=[?&;#])[^?=&;#]+=|pass\w{0,9}=)([^&;#]*[^&;#'\":,.)\]}])")
# Characters that str.isprintable() leaves out and that names have: joiners, spaces of a width.
_HARMLESS = "\u200c\u200d\u00a0\u3000"


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
        is_traceback = "Traceback (" in str(message)
        super().__init__(without_secrets(message) if is_traceback else _one_line(message))


def _one_line(message: str) -> str:
    line = printable(" ".join(str(message).splitlines()))
    if len(line) > LONGEST_LINE:
        line = f"{line[: LONGEST_LINE // 2]} ... {line[-LONGEST_LINE // 3 :]}"
    return line


def printable(text: object) -> str:
    """Return a text of a file or user, such as a name, as it may be shown on a line of a terminal.

    Secrets of URLs are hidden; control characters, which could change the terminal, and bytes of a
    file name that are no text are escaped.
    """
    shown = without_secrets(str(text))
    if shown.isprintable():
        return shown
    return "".join(
        c if c.isprintable() or c in _HARMLESS else c.encode("unicode_escape").decode()
        for c in shown
    )


def without_secrets(text: str) -> str:
    """Return a text with ``***`` for the secrets of each URL in it.

    Those are user and password, and the values of the query, but for numbers of up to three
    digits, which tell streams apart. Any other text, a path included, is returned as it is.
    """
    for user in _USER.findall(text):  # errors repeat what they take for a port
        text = text.replace(f"{user.partition(':')[2] or user}@", "***@")
    return _URL.sub(lambda url: _VALUE.sub(_hide_value, url[0]), _USER.sub("***@", text))


def _hide_value(match: re.Match[str]) -> str:
    name, value = match.groups()
    return f"{name}{value if value.isdecimal() and len(value) <= 3 else '***'}"


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
