"""Imported first by tests that need MMTracking: skips them without, and imports it with."""

from importlib.util import find_spec

import pytest

if find_spec("mmtrack") is None:
    pytest.skip("mmtrack is not installed: make setup-mmtrack", allow_module_level=True)

import mmttsrn.hosts.mmtrack  # noqa: F401
