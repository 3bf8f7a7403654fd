"""Initialising a module with published weights."""

import re

import pytest
import torch
from mmengine.model import BaseModule
from safetensors.torch import save_file
from torch import Tensor, nn

from mmttsrn.checkpoints import pretrained
from mmttsrn.checkpoints.fetching import cached_path
from mmttsrn.errors import UserInputError
from mmttsrn.models import TwinsSVT

ARCH = dict(embed_dims=(16, 32, 64, 128), num_heads=(1, 2, 4, 8), depths=(1, 1, 2, 1))


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache of downloads."""
    monkeypatch.setenv("MMTTSRN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def weights(arch: dict = ARCH) -> dict[str, Tensor]:
    return TwinsSVT(arch=arch).state_dict()


def initialise(**init_cfg: object) -> dict[str, Tensor]:
    model = TwinsSVT(arch=ARCH, init_cfg=dict(type="mmttsrn.PretrainedWeights", **init_cfg))
    model.init_weights()
    return model.state_dict()


def refusal(**init_cfg: object) -> str:
    with pytest.raises(UserInputError) as error:
        initialise(**init_cfg)
    assert "\n" not in str(error.value)
    return str(error.value)


def assert_equal(state: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert state.keys() == expected.keys()
    for name, tensor in expected.items():
        assert torch.equal(state[name], tensor), name


@pytest.mark.parametrize(
    ("wrap", "prefix"),
    [
        (lambda state: state, None),
        (lambda state: {"model": state, "epoch": 3}, None),
        (lambda state: {"state_dict": {f"backbone.{k}": v for k, v in state.items()}}, "backbone."),
        (lambda state: {"state_dict": {f"backbone.{k}": v for k, v in state.items()}}, "backbone"),
        (lambda state: {**state, "head.weight": torch.zeros(9, 128)}, None),
    ],
)
def test_local_file(tmp_path, wrap, prefix) -> None:
    state = weights()
    torch.save(wrap(state), tmp_path / "x.pth")
    assert_equal(initialise(checkpoint=str(tmp_path / "x.pth"), prefix=prefix), state)


@pytest.mark.parametrize(
    "wrapped",
    ["module.{}", "_orig_mod.{}", "module._orig_mod.{}", "model._orig_mod.{}", "model.{}"],
)
@pytest.mark.parametrize("prefix", [None, "backbone.", "backbone._orig_mod."])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_names_of_wrappers(tmp_path, wrapped: str, prefix: str | None, suffix: str) -> None:
    state = weights()
    content = {wrapped.format(f"{prefix or ''}{name}"): x for name, x in state.items()}
    path = tmp_path / f"x{suffix}"
    torch.save(content, path) if suffix == ".pth" else save_file(content, path)
    outer = prefix and prefix.removesuffix("_orig_mod.")
    assert_equal(initialise(checkpoint=str(path), prefix=outer), state)
    # As the file has it, which a user may have copied from there.
    prefix = prefix and wrapped.format(prefix)
    assert_equal(initialise(checkpoint=str(path), prefix=prefix), state)


def test_local_file_wins_over_the_url(tmp_path) -> None:
    state = weights()
    save_file(state, tmp_path / "x.safetensors")
    loaded = initialise(checkpoint=str(tmp_path / "x.safetensors"), url="https://localhost/x.pth")
    assert_equal(loaded, state)


def test_missing_file_gives_the_download_instruction(tmp_path) -> None:
    path = tmp_path / "missing.pth"
    message = refusal(checkpoint=str(path), url="https://example.org/a/b.pth")
    assert message.startswith(f"TwinsSVT.init_cfg: checkpoint={path}: there is no such file")
    assert f"curl -L --create-dirs -o {path} https://example.org/a/b.pth" in message
    assert "set init_cfg=None" in message


def test_download_is_kept(tmp_path, cache) -> None:
    state = weights()
    published = tmp_path / "published.pth"
    torch.save(state, published)
    url = published.as_uri()
    assert_equal(initialise(url=url), state)
    published.unlink()
    assert cache in cached_path(url).parents
    assert_equal(initialise(url=url), state)


def test_weights_of_another_width_are_refused(tmp_path) -> None:
    torch.save(weights({**ARCH, "embed_dims": (32, 64, 128, 256)}), tmp_path / "x.pth")
    message = refusal(checkpoint=str(tmp_path / "x.pth"))
    assert "weights of another architecture" in message
    assert re.search(r" of another shape \(\S+ is \(.+\) instead of \(.+\)", message)


def test_weights_of_another_depth_are_refused(tmp_path) -> None:
    torch.save(weights({**ARCH, "depths": (1, 1, 3, 1)}), tmp_path / "x.pth")
    message = refusal(checkpoint=str(tmp_path / "x.pth"))
    assert "a backbone with 6 blocks, but the model's has 5" in message


@pytest.mark.parametrize("prefix", [None, "neck."])
def test_file_in_which_nothing_fits_is_refused(tmp_path, prefix) -> None:
    state = {f"backbone.{name}": tensor for name, tensor in weights().items()}
    torch.save(state, tmp_path / "x.pth")
    message = refusal(checkpoint=str(tmp_path / "x.pth"), prefix=prefix)
    assert "nothing in it fits" in message
    assert 'set init_cfg.prefix, e.g. "backbone."' in message


def test_what_the_file_lacks_is_named_and_stays(tmp_path, monkeypatch) -> None:
    state = weights()
    torch.save({k: v for k, v in state.items() if k != "pos_block.0.proj.0.bias"}, tmp_path / "x")
    lines = []
    monkeypatch.setattr(pretrained, "print_log", lambda text, **kwargs: lines.append(text))
    initialise(checkpoint=str(tmp_path / "x"))
    assert len(lines) == 1
    assert lines[0].endswith("; not in it, so newly initialised: pos_block.0.proj.0.bias")


def test_loaded_weights_survive_the_initialisation_around_them(tmp_path) -> None:
    state = weights()
    torch.save(state, tmp_path / "x.pth")

    class Around(BaseModule):
        def __init__(self) -> None:
            super().__init__(init_cfg=dict(type="Constant", layer="Linear", val=7))
            self.backbone = TwinsSVT(
                arch=ARCH,
                init_cfg=dict(type="mmttsrn.PretrainedWeights", checkpoint=str(tmp_path / "x.pth")),
            )
            self.linear = nn.Linear(2, 2)

    model = Around()
    model.init_weights()
    assert_equal(model.backbone.state_dict(), state)
    assert (model.linear.weight == 7).all()
