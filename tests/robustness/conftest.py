"""The inputs without a fault, for all tests of this folder."""

from good_inputs import good  # noqa: F401
