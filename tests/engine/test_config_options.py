"""The check of ``--cfg-options`` keys."""

import pytest
from mmengine.config import Config

from mmttsrn.engine.config_options import check_cfg_options
from mmttsrn.errors import UserInputError


@pytest.fixture(scope="module")
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
        # in the config
        "train_cfg.max_epochs",
        "model.backbone.depth",
        "train_dataloader.dataset.pipeline.1.prob",
        # read by the runner
        "load_from",
        "work_dir",
        "randomness.seed",
        "env_cfg.mp_cfg.mp_start_method",
        "train_cfg.val_begin",
        "train_dataloader.pin_memory",
        "optim_wrapper.clip_grad.norm_type",
        "optim_wrapper.constructor",
        "model_wrapper_cfg.find_unused_parameters",
        # arguments of the class beside them, of its bases, of a function
        "model.backbone.with_cp",
        "model.backbone.init_cfg",
        "model.roi_head",
        "optim_wrapper.optimizer.betas",
        "optim_wrapper.accumulative_counts",
        "train_dataloader.dataset.indices",
        "param_scheduler.0.gamma",
        "param_scheduler.0.convert_to_iter_based",
        "default_hooks.checkpoint.save_best",
        # names of the user's choice
        "optim_wrapper.paramwise_cfg.custom_keys.neck.lr_mult",
        "train_dataloader.dataset.metainfo.classes",
        "model.backbone._delete_",
    ],
)
def test_keys_that_are_read_pass(cfg, path):
    check_cfg_options(cfg, {path: 1})


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("modle.x", "did you mean model?"),
        ("train_cfg.max_epoch", "did you mean train_cfg.max_epochs or"),
        ("max_epochs", "did you mean train_cfg.max_epochs?"),
        ("model.backbone.wth_cp", "did you mean model.backbone.with_cp?"),
        ("model.test_cfg.max_per_img", "its keys are score_thr"),
        ("model.backbone.type_.x", "did you mean model.backbone.type or"),
        ("model.backbone.depth.x", "model.backbone.depth is 50, which has no keys"),
        ("model.backbone.init_cfg.type", "model.backbone.init_cfg is None, which has no keys"),
        ("randomness.sed", "did you mean randomness.seed?"),
        ("env_cfg.mp_cfg.start_method", "did you mean env_cfg.mp_cfg.mp_start_method?"),
        ("train_dataloader.bach_size", "did you mean train_dataloader.batch_size"),
        ("train_dataloader.dataset.pipeline.2.prob", "a list with the indices 0 to 1"),
        ("train_dataloader.dataset.pipeline.prob", "a list with the indices 0 to 1"),
        ("optim_wrapper.optimizer.beta", "did you mean optim_wrapper.optimizer.betas?"),
        ("optim_wrapper.optimizer.constructor", "optim_wrapper.optimizer has no key"),
        ("optim_wrapper.clip_grad.max_nrm", "did you mean optim_wrapper.clip_grad.max_norm?"),
        ("default_hooks.checkpont.interval", "did you mean default_hooks.checkpoint?"),
        ("data_root", "set train_dataloader.dataset.data_root"),
    ],
)
def test_keys_that_nothing_reads_are_refused(cfg, path, hint):
    with pytest.raises(UserInputError) as error:
        check_cfg_options(cfg, {path: 1})
    message = str(error.value)
    assert message.startswith(f"--cfg-options {path}: ")
    assert hint in message
    assert "\n" not in message


def test_a_changed_type_decides_which_arguments_are_known(cfg):
    swin = {"model.backbone.type": "SwinTransformer"}
    check_cfg_options(cfg, {**swin, "model.backbone.window_size": 7})
    with pytest.raises(UserInputError, match="has no key 'deep_stem'"):
        check_cfg_options(cfg, {**swin, "model.backbone.deep_stem": True})


def test_a_new_hook_needs_its_type(cfg):
    check_cfg_options(cfg, {"default_hooks.ema.type": "EMAHook", "default_hooks.ema.momentum": 0.1})
    with pytest.raises(UserInputError, match="default_hooks has no key 'ema'"):
        check_cfg_options(cfg, {"default_hooks.ema.momentum": 0.1})


def test_a_class_without_constructor_takes_nothing(cfg):
    with_hook = Config(
        {**cfg.to_dict(), "custom_hooks": [dict(type="mmttsrn.ClassCountCheckHook")]}
    )
    with pytest.raises(UserInputError, match=r"custom_hooks\.0 has no key 'x'"):
        check_cfg_options(with_hook, {"custom_hooks.0.x": 1})


def test_options_that_pass_merge_into_the_config(cfg):
    options = {"model.backbone.with_cp": True, "train_dataloader.dataset.pipeline.1.prob": 0.1}
    check_cfg_options(cfg, options)
    merged = Config(cfg.to_dict())
    merged.merge_from_dict(options)
    assert merged.model.backbone.with_cp is True
    assert merged.train_dataloader.dataset.pipeline[1].prob == 0.1
