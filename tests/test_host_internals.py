"""The private parts of the host packages that the package relies on.

A failure here means that a host has changed one of them: mend ``mmttsrn/host_internals.py``.
"""

import pytest
from mmcv.transforms import BaseTransform, TransformBroadcaster
from mmcv.transforms.utils import cache_randomness
from mmengine.config import utils as config_utils
from mmengine.hub import get_config
from mmengine.model import BaseModule
from mmengine.runner import CheckpointLoader

from mmttsrn.host_internals import (
    checkpoint_loaders,
    checkpoints_read_by,
    list_random_methods_once,
    name_config_package,
)

CHANGED = "a host package has changed what mmttsrn/host_internals.py relies on: "


def test_table_of_packages_with_configs(monkeypatch):
    table = getattr(config_utils, "MODULE2PACKAGE", None)
    assert isinstance(table, dict), CHANGED + "mmengine.config.utils.MODULE2PACKAGE"
    monkeypatch.setattr(config_utils, "MODULE2PACKAGE", {"mmdet": "mmdet"})
    with pytest.raises(AssertionError, match="does not support to load mmttsrn"):
        get_config("mmttsrn::vis/ttsrn_tiny_shapes.py")
    name_config_package("mmttsrn")
    assert get_config("mmttsrn::vis/ttsrn_tiny_shapes.py").model.type == "mmttsrn.TTSRN"


@pytest.mark.parametrize("path", ["x.pth", "https://x.org/x.pth", "open-mmlab://x", "s3://x", ""])
def test_table_of_checkpoint_loaders(path):
    table = getattr(CheckpointLoader, "_schemes", None)
    assert isinstance(table, dict), CHANGED + "mmengine.runner.CheckpointLoader._schemes"

    def load_from_here(filename, map_location):
        return filename, map_location

    with checkpoints_read_by(load_from_here):
        assert checkpoint_loaders() == [load_from_here]
        content = CheckpointLoader.load_checkpoint(path, "cpu")
    assert content == (path, "cpu"), CHANGED + "the reading through the table of loaders"
    assert CheckpointLoader._schemes is table


class Draws(BaseTransform):
    @cache_randomness
    def draw(self):
        return 1

    def transform(self, results):
        return results


class DrawsAgain(Draws):
    @cache_randomness
    def draw(self):
        return 2


def test_lists_of_random_methods():
    transform = DrawsAgain()
    listed = getattr(transform, "_methods_with_randomness", None)
    assert listed == ["draw", "draw"], CHANGED + "_methods_with_randomness of MMCV's transforms"
    broadcaster = TransformBroadcaster([transform], share_random_params=True)
    list_random_methods_once(broadcaster.transforms)
    assert transform._methods_with_randomness == ["draw"]
    assert Draws._methods_with_randomness == ["draw", "draw"]  # the class is left as it was


def test_initialisation_of_a_module_is_its_init_cfg():
    """``skip_overwritten_init`` sets it to None; it is public."""
    module = BaseModule(init_cfg=dict(type="NoSuchInitialiser"))
    module.init_cfg = None
    module.init_weights()
    assert module.is_init, CHANGED + "BaseModule.init_cfg"
