"""Values of a config that are refused before anything is built."""

import pytest
from mmengine.config import Config

from mmttsrn.apis.config_file import load_config
from mmttsrn.apis.config_values import check_values
from mmttsrn.errors import UserInputError


@pytest.fixture(scope="module")
def config() -> Config:
    return load_config("ttsrn_ytvis19")


@pytest.mark.parametrize("name", ["ttsrn_ytvis19", "mask2former_r50_ytvis19"])
def test_good_values_pass(name: str) -> None:
    check_values(load_config(name))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model", "text"),
        ("model.head", None),
        ("model.head.num_classes", "4"),
        ("model.head.num_instances", 0),
        ("model.head.type", 5),
        ("model.criterion.type", None),
        ("train_dataloader.batch_size", 1.5),
        ("train_dataloader.dataset.pipeline.0.type", []),
        ("test_dataloader.num_workers", -1),
        ("test_dataloader.dataset.pipeline", []),
        ("test_dataloader.dataset.data_prefix", "train"),
        ("test_evaluator", "text"),
        ("train_cfg.max_epochs", None),
        ("optim_wrapper.optimizer.lr", float("nan")),
        ("optim_wrapper.optimizer.type", "Nothing"),
        ("randomness.seed", -1),
        ("log_level", "LOUD"),
        ("param_scheduler", "text"),
    ],
)
def test_bad_values_are_named(config: Config, key: str, value: object) -> None:
    broken = Config(config.to_dict())
    broken.merge_from_dict({key: value})
    with pytest.raises(UserInputError) as error:
        check_values(broken)
    assert str(error.value).startswith(f"config: {key}={value!r}: expected ")
