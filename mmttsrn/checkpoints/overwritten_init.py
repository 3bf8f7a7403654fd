"""Leaving out initialisation that a checkpoint undoes."""

from collections.abc import Mapping

from mmengine.logging import print_log
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmttsrn.checkpoints.state import BATCH_COUNTER, bare_model, bare_names


def skip_overwritten_init(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Take the ``init_cfg`` from parts of a model that a checkpoint brings whole.

    A run that starts from the weights of a model or goes on with it needs no other pretrained
    weights, and no network to get them.

    Args:
        model: The built model, wrapped for distributed use or not.
        state: The checkpoint's weights by name.
    """
    given = bare_names(state).keys()
    for part, module in bare_model(model).named_children():
        own = bare_names({f"{part}.{name}": None for name in module.state_dict()})
        names = {name for name in own if not name.endswith(BATCH_COUNTER)}
        if isinstance(module, BaseModule) and module.init_cfg and names and names <= given:
            module.init_cfg = None
            print_log(f"{part}: init_cfg is left out, the checkpoint has it all", "current")
