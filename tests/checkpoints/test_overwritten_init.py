"""Pretrained parts in a run that starts from a checkpoint of the whole model."""

import pytest
import torch
from mmengine.model import BaseModule, MMDistributedDataParallel
from torch import nn

from mmttsrn.checkpoints.overwritten_init import skip_overwritten_init
from mmttsrn.errors import UserInputError

INIT_CFG = dict(type="mmttsrn.PretrainedWeights", checkpoint="missing.pth")


class Part(BaseModule):
    def __init__(self) -> None:
        super().__init__(init_cfg=INIT_CFG)
        self.layers = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2))


class Model(BaseModule):
    def __init__(self) -> None:
        super().__init__()
        self.backbone = Part()
        self.neck = Part()


def state(*parts: str, without: str = "num_batches_tracked", prefix: str = "") -> dict:
    weights = Model().state_dict()
    return {
        prefix + name: tensor
        for name, tensor in weights.items()
        if name.startswith(parts) and not name.endswith(without)
    }


@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod."])
def test_part_that_the_checkpoint_has_is_not_initialised(prefix: str) -> None:
    model = Model()
    skip_overwritten_init(model, state("backbone", prefix=prefix))
    model.backbone.init_weights()  # MMEngine reads `init_cfg` then; the file in it is missing
    assert model.neck.init_cfg == INIT_CFG
    with pytest.raises(UserInputError, match=r"missing\.pth"):
        model.neck.init_weights()


def test_part_that_the_checkpoint_has_not_whole_keeps_its_own() -> None:
    model = Model()
    skip_overwritten_init(model, state("backbone", without="layers.0.bias"))
    assert model.backbone.init_cfg == INIT_CFG


def test_wrapped_model(tmp_path) -> None:
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{tmp_path / 'group'}", rank=0, world_size=1
    )
    try:
        model = MMDistributedDataParallel(Model())
        skip_overwritten_init(model, state("backbone", "neck"))
        assert model.module.backbone.init_cfg is None
        assert model.module.neck.init_cfg is None
    finally:
        torch.distributed.destroy_process_group()
