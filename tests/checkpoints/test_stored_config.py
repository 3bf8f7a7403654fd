"""The config that a checkpoint carries, read as data."""

import pytest
from mmengine.config import Config
from planted import program

from mmttsrn.apis.config_file import configs_folder
from mmttsrn.checkpoints.stored_config import (
    check_model_types,
    parse_config,
    portable_text,
    stored_config,
)
from mmttsrn.errors import UserInputError

CONFIGS = sorted((configs_folder() / "vis").glob("*.py"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_config_of_the_package_survives(path):
    cfg = Config.fromfile(path)
    read = parse_config(cfg.pretty_text, "x.pth")
    assert read.to_dict() == cfg.to_dict()
    check_model_types(read.model, "x.pth")


def test_what_belongs_to_one_run_is_left_out():
    cfg = Config(dict(model=dict(type="x"), work_dir="/home/me", load_from="y.pth", resume=True))
    assert parse_config(portable_text(cfg), "").to_dict() == {"model": {"type": "x"}}


@pytest.mark.parametrize(
    "text",
    [
        "import os",
        "model = open('marker', 'w')",
        "model = dict(type=__import__('os').system)",
        "model['type'] = 1",
        "model = dict({'a.b': open('marker', 'w')})",
        "model = dict({'a': 1}, {'b': 2})",
        "x = [i for i in range(3)]",
        "model = dict(",
        "model = " + "[" * 5000 + "]" * 5000,
    ],
)
def test_programs_are_refused(text):
    with pytest.raises(UserInputError, match=r"x.pth: meta.cfg: not a config") as error:
        parse_config(text, "x.pth")
    assert "\n" not in str(error.value)


def test_a_program_is_not_run(tmp_path):
    with pytest.raises(UserInputError):
        parse_config(program(tmp_path / "marker"), "x.pth")
    assert not (tmp_path / "marker").exists()


@pytest.mark.parametrize("name", ["os.system", "mmengine.load", "mmttsrn.Missing", "Missing", 3])
def test_types_that_are_no_model_parts_are_refused(name):
    model = dict(type="mmttsrn.TTSRN", neck=[dict(type=name, command="touch marker")])
    with pytest.raises(UserInputError, match="not a registered part of a model"):
        check_model_types(model, "x.pth")


@pytest.mark.parametrize(
    ("meta", "message"),
    [
        ({}, "no config in this checkpoint"),
        ({"cfg": "work_dir = 'x'"}, "no attribute 'model'"),
        ({"cfg": "model = dict(type='os.system', command='true')"}, "not a registered part"),
    ],
)
def test_checkpoint_without_a_usable_config(meta, message):
    with pytest.raises(UserInputError, match=message):
        stored_config({"meta": meta}, "x.pth")
