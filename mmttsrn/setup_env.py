"""Registration of every module of the package at once."""

import importlib

from mmengine.registry import init_default_scope

HOST_SCOPE = "mmdet"
MODULES = (
    "mmttsrn.checkpoints",
    "mmttsrn.datasets",
    "mmttsrn.engine.hooks",
    "mmttsrn.evaluation.metrics",
    "mmttsrn.hosts.mmdet",
    "mmttsrn.hosts.transformers",
    "mmttsrn.models",
)


def register_all_modules() -> None:
    """Import and so register all modules of mmttsrn and of its host, MMDetection.

    Configs do not need it: their registries import modules on first use. It is for code that
    builds modules without a config's ``default_scope``. The host's scope becomes the default, as
    in configs: modules of this package are named ``mmttsrn.X`` and those of the host ``X``.
    """
    from mmdet.utils import register_all_modules as register_host_modules

    register_host_modules(init_default_scope=False)
    for module in MODULES:
        importlib.import_module(module)
    init_default_scope(HOST_SCOPE)
