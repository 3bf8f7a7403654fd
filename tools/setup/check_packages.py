"""End a tool with one line and status 2 where a package is missing, too old or without its ops."""

import sys

try:
    from mmttsrn.environment import check_mmcv_ops

    check_mmcv_ops()
except ImportError as error:
    print(f"error: {error}", file=sys.stderr)
    sys.exit(2)
