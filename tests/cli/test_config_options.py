"""The check of ``--cfg-options`` keys."""

import pytest
from mmengine.config import Config

from mmttsrn.apis.config_file import configs_folder, load_config
from mmttsrn.cli.config_options import set_cfg_options, warn_of_misspelt_keys
from mmttsrn.errors import UserInputError


@pytest.fixture
def cfg() -> Config:
    """A config with parts of the runner, the host and PyTorch."""
    return Config(
        dict(
            default_scope="mmdet",
            data_root="data/",
            model=dict(
                type="MaskRCNN",
                backbone=dict(type="ResNet", depth=50, init_cfg=None),
                test_cfg=dict(score_thr=0.1),
            ),
            train_dataloader=dict(
                batch_size=2,
                dataset=dict(
                    type="CocoDataset",
                    data_root="data/",
                    pipeline=[dict(type="LoadImageFromFile"), dict(type="RandomFlip", prob=0.5)],
                ),
            ),
            train_cfg=dict(by_epoch=True, max_epochs=3),
            optim_wrapper=dict(
                type="OptimWrapper",
                optimizer=dict(type="AdamW", lr=1e-4),
                clip_grad=dict(type="norm", max_norm=1.0),
                paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.1))),
            ),
            param_scheduler=[dict(type="MultiStepLR", milestones=[2])],
            default_hooks=dict(checkpoint=dict(type="CheckpointHook", interval=1)),
        )
    )


@pytest.mark.parametrize(
    "path",
    [
        "train_cfg.max_epochs",
        "model.backbone.depth",
        "train_dataloader.dataset.pipeline.1.prob",
        "param_scheduler.0.milestones",
        "model.backbone._delete_",
    ],
)
def test_keys_of_the_config_pass_in_silence(cfg, path, capsys):
    set_cfg_options(cfg, {path: 1})
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("modle.x", "; did you mean model?"),
        ("train_cfg.max_epoch", "; did you mean train_cfg.max_epochs"),
        ("max_epochs", "; did you mean train_cfg.max_epochs?"),
        ("model.backbone.dpth", "; did you mean model.backbone.depth?"),
        ("model.backbone.type_.x", "; did you mean model.backbone.type?"),
        ("train_dataloader.bach_size", "; did you mean train_dataloader.batch_size?"),
        ("train_dataloader.dataset.pipeline.1.prb", "; did you mean train_dataloader.dataset.pipe"),
        ("optim_wrapper.clip_grad.max_nrm", "; did you mean optim_wrapper.clip_grad.max_norm?"),
        # valid, and unknown to the config: a key of a constructor, of the runner, of a class
        ("optim_wrapper.paramwise_cfg.decay_rate", "."),
        ("randomness.seed", "."),
        ("default_hooks.ema.momentum", "."),
    ],
)
def test_new_keys_are_set_with_a_warning(cfg, path, hint, capsys):
    set_cfg_options(cfg, {path: 1})
    warning = capsys.readouterr().err
    begin = f"warning: --cfg-options {path}: no such key in the config so far{hint}"
    assert warning.startswith(begin)
    assert warning.endswith(" It is set all the same\n")
    assert warning.count("\n") == 1


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("model.backbone.depth.x", "depth is a dict in the child config"),
        ("model.backbone.init_cfg.type", "init_cfg is a dict in the child config"),
        ("train_dataloader.dataset.pipeline.2.prob", "Index 2 exceeds the length"),
        ("train_dataloader.dataset.pipeline.prob", "list indices must be integers"),
        ("data_root", "has no effect; set train_dataloader.dataset.data_root"),
    ],
)
def test_what_cannot_be_set_is_refused(cfg, path, message):
    with pytest.raises(UserInputError, match=message) as error:
        set_cfg_options(cfg, {path: 1})
    assert str(error.value).startswith(f"--cfg-options {path}: ")


def test_a_variable_whose_use_is_not_seen_gives_a_warning(cfg, capsys):
    """MMEngine reads some keys besides the arguments of its runner."""
    with_key = Config({**cfg.to_dict(), "find_unused_parameters": True})
    set_cfg_options(with_key, {"find_unused_parameters": False})
    assert "find_unused_parameters may be a variable" in capsys.readouterr().err


def test_a_key_that_stands_elsewhere_with_another_value_is_no_used_variable(cfg, capsys):
    other = Config({**cfg.to_dict(), "prob": 0.1})
    set_cfg_options(other, {"prob": 0.2})
    assert "prob may be a variable" in capsys.readouterr().err
    with pytest.raises(UserInputError, match=r"has no effect; set .*pipeline\.1\.prob"):
        set_cfg_options(Config({**cfg.to_dict(), "prob": 0.5}), {"prob": 0.2})


def test_keys_beside_a_new_type_are_expected(cfg, capsys):
    swin = {"model.backbone.type": "SwinTransformer", "model.backbone.window_size": 7}
    hook = {"default_hooks.ema.type": "EMAHook", "default_hooks.ema.momentum": 0.1}
    set_cfg_options(cfg, {**swin, **hook})
    assert capsys.readouterr().err == ""


def test_options_are_merged(cfg):
    set_cfg_options(cfg, {"train_cfg.max_epochs": 2, "train_dataloader.dataset.pipeline.1.prob": 1})
    set_cfg_options(cfg, None)
    assert cfg.train_cfg.max_epochs == 2
    assert cfg.train_dataloader.dataset.pipeline[1].prob == 1


def test_misspelt_keys_are_told(capsys):
    cfg = Config(dict(model={}, optim_wraper={}, train_dataloder={}, train_pipeline=[], lr=1))
    warn_of_misspelt_keys(cfg, "a.py")
    lines = capsys.readouterr().err.splitlines()
    assert [line.rpartition(" ")[2] for line in lines] == ["optim_wrapper?", "train_dataloader?"]
    assert lines[0].startswith("warning: a.py: optim_wraper: the runner does not read this key")


@pytest.mark.parametrize("name", sorted(p.stem for p in configs_folder().glob("vis/*.py")))
def test_no_key_of_a_shipped_config_looks_misspelt(name, capsys):
    warn_of_misspelt_keys(load_config(name), name)
    assert capsys.readouterr().err == ""
