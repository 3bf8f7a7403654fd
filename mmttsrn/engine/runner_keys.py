"""Keys of a config that MMEngine reads, besides the arguments of the classes that it builds."""

from __future__ import annotations

import inspect
from collections.abc import Callable

from mmengine.optim import OptimWrapper, _ParamScheduler
from mmengine.runner import (
    EpochBasedTrainLoop,
    IterBasedTrainLoop,
    LogProcessor,
    Runner,
    TestLoop,
    ValLoop,
)
from mmengine.utils.dl_utils import set_multi_processing
from torch.distributed import init_process_group
from torch.nn.utils import clip_grad_norm_, clip_grad_value_
from torch.utils.data import DataLoader


def runner_keys(path: str) -> frozenset[str]:
    """Keys of a dict that the runner itself reads.

    Args:
        path: Dotted path of the dict; empty for the config itself.

    Returns:
        The keys; empty if the runner does not know such a dict.
    """
    functions, keys = RUNNER_DICTS.get(path, ((), ()))
    arguments = [argument_names(function) or frozenset() for function in functions]
    return frozenset(keys).union(*arguments)


def keys_besides_arguments(factory: Callable) -> frozenset[str]:
    """Keys that are taken out of a dict before the class that its ``type`` names is built."""
    if not inspect.isclass(factory):
        return frozenset()
    return frozenset().union(
        *(keys for class_, keys in KEYS_BESIDES_ARGUMENTS if issubclass(factory, class_))
    )


def argument_names(factory: Callable) -> frozenset[str] | None:
    """Names of the keyword arguments that a class or function takes.

    ``**kwargs`` of a constructor are followed to the constructors of its base classes.

    Returns:
        The names, or None if any keyword is taken.
    """
    if not inspect.isclass(factory):
        names, open_ended = _signature(factory)
        return None if open_ended else names
    collected: frozenset[str] = frozenset()
    open_ended = False
    for class_ in inspect.getmro(factory):
        if "__init__" not in vars(class_) or class_ is object:
            continue
        names, open_ended = _signature(vars(class_)["__init__"])
        collected |= names - {"self"}
        if not open_ended:
            break
    return None if open_ended else collected


def _signature(function: Callable) -> tuple[frozenset[str], bool]:
    """Keyword names of a function, and whether it takes ``**kwargs``."""
    parameters = inspect.signature(function).parameters.values()
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    names = frozenset(parameter.name for parameter in parameters if parameter.kind in named)
    return names, any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters)


# What MMEngine's runner reads without a `type`: dotted path -> (functions whose arguments the keys
# are, keys besides).
_DATALOADER = ((DataLoader,), ("dataset", "sampler", "batch_sampler", "num_batch_per_epoch"))
RUNNER_DICTS: dict[str, tuple[tuple[Callable, ...], tuple[str, ...]]] = {
    "": (
        (Runner,),
        (
            "activation_checkpointing",
            "compile",
            "custom_imports",
            "efficient_conv_bn_eval",
            "find_unused_parameters",
            "model_wrapper_cfg",
            "runner_type",
            "sync_bn",
        ),
    ),
    "auto_scale_lr": ((), ("enable", "base_batch_size")),
    "env_cfg": ((), ("cudnn_benchmark", "mp_cfg", "dist_cfg", "resource_limit")),
    "env_cfg.mp_cfg": ((set_multi_processing,), ()),
    "env_cfg.dist_cfg": ((init_process_group,), ("init_backend",)),
    "log_processor": ((LogProcessor,), ("type",)),
    "optim_wrapper": ((OptimWrapper,), ("type", "constructor", "paramwise_cfg")),
    "optim_wrapper.clip_grad": ((clip_grad_norm_, clip_grad_value_), ("type",)),
    "optim_wrapper.paramwise_cfg": (
        (),
        (
            "bias_decay_mult",
            "bias_lr_mult",
            "bypass_duplicate",
            "custom_keys",
            "dcn_offset_lr_mult",
            "dwconv_decay_mult",
            "flat_decay_mult",
            "norm_decay_mult",
        ),
    ),
    "randomness": ((), ("seed", "deterministic", "diff_rank_seed")),
    "train_cfg": ((EpochBasedTrainLoop, IterBasedTrainLoop), ("by_epoch", "type")),
    "val_cfg": ((ValLoop,), ("type",)),
    "test_cfg": ((TestLoop,), ("type",)),
    "train_dataloader": _DATALOADER,
    "val_dataloader": _DATALOADER,
    "test_dataloader": _DATALOADER,
}
KEYS_BESIDES_ARGUMENTS: tuple[tuple[type, frozenset[str]], ...] = (
    (OptimWrapper, frozenset({"constructor", "paramwise_cfg"})),
    (_ParamScheduler, frozenset({"convert_to_iter_based"})),
)
