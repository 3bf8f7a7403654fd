"""What a config may hold besides the arguments of the classes that it builds."""

import pytest
from mmengine.optim import OptimWrapper
from mmengine.optim.scheduler import MultiStepLR
from torch import nn

from mmttsrn.engine.runner_keys import argument_names, keys_besides_arguments, runner_keys


class Base:
    def __init__(self, width, *, depth=1):
        pass


class Forwards(Base):
    def __init__(self, height, *args, **kwargs):
        pass


class Ends(Forwards):
    def __init__(self, only):
        pass


class Inherits(Forwards):
    pass


class TakesAnything:
    def __init__(self, name, **kwargs):
        pass


class TakesNothing:
    pass


def plain(first, second=None):
    pass


def open_ended(first, **kwargs):
    pass


@pytest.mark.parametrize(
    ("factory", "expected"),
    [
        (Base, {"width", "depth"}),
        (Forwards, {"height", "width", "depth"}),
        (Inherits, {"height", "width", "depth"}),
        (Ends, {"only"}),
        (TakesNothing, set()),
        (TakesAnything, None),
        (plain, {"first", "second"}),
        (open_ended, None),
    ],
)
def test_argument_names(factory, expected):
    assert argument_names(factory) == expected


def test_keys_of_the_runner():
    assert {"model", "work_dir", "randomness", "model_wrapper_cfg"} <= runner_keys("")
    assert {"max_epochs", "max_iters", "val_interval", "by_epoch"} <= runner_keys("train_cfg")
    assert runner_keys("model") == frozenset()


def test_keys_besides_arguments():
    assert "paramwise_cfg" in keys_besides_arguments(OptimWrapper)
    assert "convert_to_iter_based" in keys_besides_arguments(MultiStepLR)
    assert keys_besides_arguments(nn.Linear) == frozenset()
    assert keys_besides_arguments(plain) == frozenset()
