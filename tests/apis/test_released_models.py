"""The released models of the package."""

from pathlib import Path

from mmengine.config import Config

from mmttsrn.apis import init_model
from mmttsrn.apis.config_file import load_config
from mmttsrn.apis.init_model import DEFAULT_MODEL, list_models, start_from_released
from mmttsrn.checkpoints.fetching import is_remote
from mmttsrn.cli.command_line import build_runner
from mmttsrn.datasets.synthetic import CLASSES, write_moving_shapes

NAME = "ttsrn-m2f_tiny_shapes"


def test_files_in_the_repository_are_small() -> None:
    local = [model for model in list_models().values() if not is_remote(model.weights)]
    assert NAME in [model.name for model in local]
    assert all(Path(model.weights).stat().st_size < 10_000_000 for model in local)


def test_tiny_model_finds_shapes_that_it_has_not_seen(tmp_path: Path) -> None:
    write_moving_shapes(tmp_path / "data", train_clips=1, val_clips=6, max_objects=2, seed=7)
    release = list_models()[NAME]
    assert init_model(NAME).dataset_meta["classes"] == list(CLASSES)
    cfg = load_config(NAME)
    cfg.work_dir, cfg.load_from = str(tmp_path / "work"), release.weights
    cfg.test_dataloader.dataset.data_root = str(tmp_path / "data")
    cfg.test_dataloader.update(num_workers=0, persistent_workers=False)
    metrics = build_runner(cfg).test()
    assert metrics["youtube_vis/mAP"] > 0.4
    assert metrics["youtube_vis/mAP_50"] > 0.7


def test_the_default_model_is_released() -> None:
    assert DEFAULT_MODEL in list_models()
    model = init_model()
    assert model.dataset_meta["classes"] == ["object"]
    assert model.cfg.model.head.cls_branch is None


def test_weights_alone_bring_their_model() -> None:
    release = list_models()[NAME]
    model = init_model(checkpoint=release.weights)
    assert model.dataset_meta["classes"] == list(CLASSES)


def test_a_training_may_start_from_it_by_its_name() -> None:
    release = list_models()[NAME]
    cfg = Config(dict(load_from=NAME))
    start_from_released(cfg)
    assert Path(cfg.load_from).samefile(release.weights)
    for other in (None, "work_dirs/x/iter_9.pth"):
        cfg = Config(dict(load_from=other))
        start_from_released(cfg)
        assert cfg.load_from == other
