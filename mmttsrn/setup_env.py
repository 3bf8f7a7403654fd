"""Registration of every module of the package at once."""

import importlib

from mmengine.registry import init_default_scope as set_default_scope

HOST_SCOPE = "mmdet"
MODULES = (
    "mmttsrn.checkpoints",
    "mmttsrn.datasets",
    "mmttsrn.engine.hooks",
    "mmttsrn.evaluation.metrics",
    "mmttsrn.hosts.mmdet",
    "mmttsrn.models",
)


def register_all_modules(init_default_scope: bool = True) -> None:
    """Import and so register all modules of mmttsrn and of its host, MMDetection.

    Configs do not need it: their registries import modules on first use. It is for code that
    builds modules without a config's ``default_scope``.

    Args:
        init_default_scope: Make the host's scope the default, as configs do. Modules of this
            package are then named ``mmttsrn.X`` and those of the host ``X``.
    """
    from mmdet.utils import register_all_modules as register_host_modules

    register_host_modules(init_default_scope=False)
    for module in MODULES:
        importlib.import_module(module)
    if init_default_scope:
        set_default_scope(HOST_SCOPE)
