#!/usr/bin/env python
"""PyTorch's ``torchrun``, for the ``dist_*.sh`` scripts.

When a process has ended with an error that it has explained to the user in one line, or because it
was asked to, the launcher ends with the same status instead of adding its own report and traceback.
"""

import logging
import signal
import sys

# MMEngine imports it in every process. The first import in a new environment writes a cache, of
# which processes that start together would read a part.
import yapf  # noqa: F401
from torch.distributed import DistNetworkError
from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.run import main

from mmttsrn.cli.user_errors import report_user_errors
from mmttsrn.errors import USER_ERROR_STATUS, UserInputError

EXPLAINED = {USER_ERROR_STATUS, 128 + signal.SIGINT, 128 + signal.SIGTERM}


def option(name: str) -> str:
    """Value of an option that the scripts give."""
    return next(a.partition("=")[2] for a in sys.argv if a.startswith(f"--{name}="))


@report_user_errors()
def launch() -> None:
    """Start the processes and wait for them."""
    count = option("nproc_per_node")
    if not count.isdecimal() or int(count) < 1:
        raise UserInputError(f"number of processes: is {count!r}, expected 1 or more")
    try:
        main()
    except SignalException as error:
        sys.exit(128 + error.sigval)
    except ChildFailedError as error:
        _, failure = error.get_first_failure()
        if failure.exitcode not in EXPLAINED:
            raise
        sys.exit(failure.exitcode)
    except DistNetworkError as error:
        if "EADDRINUSE" not in str(error):
            raise
        port = option("master_port")
        raise UserInputError(
            f"port {port} is in use on this machine, by another training perhaps; choose another "
            f"one: PORT={int(port) + 1} in front of the same command"
        ) from error


if __name__ == "__main__":
    # It announces every process that it ends; the report of the failure says the same.
    logging.getLogger("torch.distributed.elastic.multiprocessing.api").setLevel(logging.CRITICAL)
    launch()
