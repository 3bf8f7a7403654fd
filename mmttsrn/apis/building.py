"""A model from a config alone."""

from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.registry import MODELS
from torch import Tensor

from mmttsrn.errors import input_errors
from mmttsrn.setup_env import register_all_modules


@input_errors("model")
def build_from_config(cfg: Config) -> BaseModel:
    """Build the model of a config, of whichever host, with random weights, on the CPU.

    What trains it is left out, so that old weights do not need the losses of their time.
    """
    register_all_modules()
    parts = {key: value for key, value in cfg.model.items() if key != "criterion"}
    return MODELS.build(parts).eval()


def state_without_values(cfg: Config) -> dict[str, Tensor]:
    """Return names, shapes and types of a model's weights: tensors without storage by name."""
    state = build_from_config(cfg).state_dict()
    return {name: tensor.to("meta") for name, tensor in state.items()}
