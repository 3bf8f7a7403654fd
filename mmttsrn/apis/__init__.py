"""What programs call that use the package as a library."""

from mmttsrn.apis.init_model import init_model

__all__ = ["init_model"]
