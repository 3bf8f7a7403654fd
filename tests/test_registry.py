"""The package as a plugin: its scope, its registries, its config names."""

import subprocess
import sys

import pytest
from mmengine.config import Config
from mmengine.hub import get_config
from mmengine.registry import MODELS as ROOT_MODELS
from mmengine.registry import DefaultScope

import mmttsrn
from mmttsrn import registry
from mmttsrn.setup_env import register_all_modules

NODES = (
    "DATASETS",
    "DATA_SAMPLERS",
    "HOOKS",
    "METRICS",
    "MODELS",
    "TASK_UTILS",
    "TRANSFORMS",
    "VISUALIZERS",
    "WEIGHT_INITIALIZERS",
)


@pytest.mark.parametrize("name", NODES)
def test_node_is_a_child_of_the_root_registry(name):
    node = getattr(registry, name)
    assert node.scope == "mmttsrn"
    assert node.parent.scope == "mmengine"
    assert node.parent.children["mmttsrn"] is node


@pytest.mark.parametrize("name", [n for n in NODES if n != "DATA_SAMPLERS"])
def test_location_of_node_registers_modules(name):
    node = getattr(registry, name)
    node.import_from_location()
    assert node.module_dict


def test_modules_are_found_from_the_scope_of_the_host():
    with ROOT_MODELS.switch_scope_and_registry("mmdet") as host:
        assert host.get("mmttsrn.TTSRN").__module__ == "mmttsrn.hosts.mmdet.model"


def test_import_is_light():
    code = "import sys, mmttsrn; print([m for m in ('mmdet', 'mmcv') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "[]", result.stderr


def test_config_names_of_the_package_resolve(tmp_path):
    config = tmp_path / "child.py"
    config.write_text("_base_ = ['mmttsrn::_base_/default_runtime.py']\nwork_dir = 'x'\n")
    cfg = Config.fromfile(config)
    assert cfg.default_scope == "mmdet"
    assert cfg.work_dir == "x"


def test_hub_finds_configs_of_the_package():
    assert get_config("mmttsrn::vis/ttsrn_ytvis19.py").model.type == "mmttsrn.TTSRN"


def test_register_all_modules_makes_the_host_the_default_scope():
    register_all_modules()
    assert DefaultScope.get_current_instance().scope_name == "mmdet"
    assert "TTSRN" in registry.MODELS.module_dict
    assert "YouTubeVISDataset" in registry.DATASETS.module_dict


def test_version():
    assert mmttsrn.__version__ == "0.1.0"
