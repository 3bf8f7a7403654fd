"""Finding and reading configs."""

from importlib.util import find_spec

import pytest

from mmttsrn.apis.config_file import configs_folder, find_config, load_config
from mmttsrn.errors import UserInputError


@pytest.mark.parametrize(
    "name",
    [
        "ttsrn_ytvis19",
        "ttsrn_ytvis19.py",
        "mmttsrn::vis/ttsrn_ytvis19",
        "mmttsrn::vis/ttsrn_ytvis19.py",
    ],
)
def test_configs_of_the_package_are_found_by_name(name):
    assert find_config(name) == configs_folder() / "vis" / "ttsrn_ytvis19.py"


def test_a_file_goes_before_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ttsrn_ytvis19.py").write_text("model = {}\n")
    assert find_config("ttsrn_ytvis19.py").resolve() == tmp_path / "ttsrn_ytvis19.py"


@pytest.mark.parametrize(
    "name", ["ttsrn_ytvis91", "configs/vis/ttsrn_ytvis91.py", "mmttsrn::vis/ttsrn_ytvis91.py"]
)
def test_a_missing_config_names_the_closest_one(name):
    with pytest.raises(UserInputError, match=r"did you mean ttsrn_ytvis19\?") as error:
        find_config(name)
    assert str(error.value).startswith(f"{name}: ")


def test_a_name_of_several_configs_lists_them(tmp_path, monkeypatch):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "same.py").write_text("")
    monkeypatch.setattr("mmttsrn.apis.config_file.configs_folder", lambda: tmp_path)
    with pytest.raises(UserInputError, match=r"mmttsrn::a/same\.py, mmttsrn::b/same\.py"):
        find_config("same")


@pytest.mark.skipif(
    find_spec("mmtrack") is not None, reason="tells what is said without mmtrack, which is here"
)
def test_a_config_of_a_host_that_is_not_installed_names_the_command() -> None:
    message = r"the host mmtrack is not installed; install it with: make setup-mmtrack$"
    with pytest.raises(UserInputError, match=message):
        load_config("mmttsrn::mmtrack/ttsrn_ytvis19.py")


def test_a_file_name_means_the_config_of_the_first_host() -> None:
    assert find_config("ttsrn_ytvis19").parent.name == "vis"
    assert find_config("mmttsrn::mmtrack/ttsrn_ytvis19.py").parent.name == "mmtrack"


def test_a_folder_without_a_model_of_the_hub_says_what_it_lacks(tmp_path) -> None:
    with pytest.raises(UserInputError, match=r"there is no config\.json in this folder"):
        find_config(str(tmp_path))
