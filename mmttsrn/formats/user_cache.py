"""The folder of this user for what can be made or fetched again."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """Return ``MMTTSRN_CACHE``, or ``mmttsrn`` in the user's cache."""
    users = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(os.environ.get("MMTTSRN_CACHE") or f"{users}/mmttsrn").expanduser()
