"""Errors that a user can mend."""

# Exit status of a command that has explained an error to its user in one line.
USER_ERROR_STATUS = 2


class UserInputError(ValueError):
    """Bad input of the user: a file, a field, an option.

    The message is one line that names the file, the field, what was expected and what to do. The
    command-line tools print it as ``error: <message>`` without a traceback and exit with status 2.

    The constructor takes the message alone, so that the error survives code that re-raises an
    exception as ``type(error)(new_message)``: registries of some MMEngine versions and PyTorch's
    data-loader workers do.
    """


class DivergedError(UserInputError):
    """A training whose numbers are not finite any more; the weights are those before the step."""
