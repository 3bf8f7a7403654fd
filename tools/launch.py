#!/usr/bin/env python
"""PyTorch's ``torchrun``, for the scripts ``dist_train.sh`` and ``dist_test.sh``.

When a process has ended with an error that it has explained to the user in one line, the launcher
ends with the same status instead of adding its own report and traceback.
"""

import logging
import sys

from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.run import main

from mmttsrn.errors import USER_ERROR_STATUS

if __name__ == "__main__":
    # It announces every process that it ends; the report of the failure says the same.
    logging.getLogger("torch.distributed.elastic.multiprocessing.api").setLevel(logging.CRITICAL)
    try:
        main()
    except ChildFailedError as error:
        _, failure = error.get_first_failure()
        if failure.exitcode != USER_ERROR_STATUS:
            raise
        sys.exit(USER_ERROR_STATUS)
