"""Errors that a user can mend."""

# Exit status of a command that has explained an error to its user in one line.
USER_ERROR_STATUS = 2
LONGEST_LINE = 900


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


class DivergedError(UserInputError):
    """A training whose numbers are not finite any more; the weights are those before the step."""
