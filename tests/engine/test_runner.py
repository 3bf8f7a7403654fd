"""What is said of a wrong value where a run is built from its config."""

from pathlib import Path

import pytest
from mmengine.config import Config

from mmttsrn.apis.config_file import load_config
from mmttsrn.cli.command_line import build_runner
from mmttsrn.datasets.synthetic import write_moving_shapes
from mmttsrn.engine.runner import WORKER_TIMEOUT
from mmttsrn.engine.worker_batches import CollateInWorker
from mmttsrn.errors import UserInputError
from mmttsrn.hosts.mmdet import YouTubeVISDataset


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """Config of a training of one step."""
    folder = tmp_path_factory.mktemp("data")
    write_moving_shapes(folder, 2, 1, 4, (64, 96), 2)
    cfg = load_config("ttsrn-m2f_tiny_shapes")
    for split in ("train", "val", "test"):
        cfg[f"{split}_dataloader"].dataset.data_root = f"{folder}/"
        cfg[f"{split}_dataloader"].update(num_workers=0, persistent_workers=False)
    cfg.train_cfg.max_iters = 1
    return cfg


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("model", [1], "model: TypeError: "),
        ("model.head.num_classes", "4", "model.head: TypeError: "),
        (
            "model.backbone.init_cfg",
            dict(type="Nothing", _delete_=True),
            "model.init_cfg: .*Nothing",
        ),
        ("randomness.seed", -1, "randomness.seed: "),
        ("log_level", "LOUD", "log_level: KeyError: LOUD"),
        ("visualizer.type", "Nothing", "visualizer: KeyError: Nothing"),
        ("custom_hooks", [dict(type="Nothing")], "custom_hooks: KeyError: Nothing"),
        ("optim_wrapper.optimizer.type", "Nothing", "optim_wrapper: KeyError: Nothing"),
        ("param_scheduler", [dict(type="Nothing")], "param_scheduler: KeyError: Nothing"),
        ("train_dataloader.dataset.pipeline", [], "train_dataloader: .*pipeline: expected tr"),
        ("val_dataloader.num_workers", -1, "val_dataloader: num_workers "),
        ("val_evaluator.colour", 1, "val_evaluator: TypeError: .*'colour'"),
        ("train_cfg.max_iters", -1, "train_cfg: .*expected max_iters"),
        ("val_cfg.type", "Nothing", "val_cfg or val_evaluator: KeyError: Nothing"),
    ],
)
def test_the_key_is_named(
    good: Config, tmp_path: Path, key: str, value: object, message: str
) -> None:
    cfg = Config(good.to_dict())
    cfg.merge_from_dict({key: value} if key != "model" else {})
    cfg.model = value if key == "model" else cfg.model
    cfg.work_dir = str(tmp_path)
    cfg.experiment_name = f"runner_{key}_{value}"[:60].replace("/", "_")
    with pytest.raises(UserInputError, match=f"^{message}"):
        build_runner(cfg).train()


def test_the_terminal_shows_what_comes_after_the_start(
    good: Config, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    cfg = Config({**good.to_dict(), "work_dir": str(tmp_path), "experiment_name": "terminal"})
    build_runner(cfg)
    (log,) = tmp_path.rglob("*.log")
    assert "train_dataloader" in log.read_text()
    shown = "".join(capfd.readouterr())
    assert "train_dataloader" not in shown
    assert f"see the log in {log.parent}" in shown


@pytest.mark.parametrize(
    ("settings", "timeout"),
    [({}, 0), (dict(num_workers=1), WORKER_TIMEOUT), (dict(num_workers=1, timeout=5), 5)],
)
def test_workers_pack_batches_and_have_a_time_limit(
    good: Config, tmp_path: Path, settings: dict, timeout: int
) -> None:
    name = f"workers_{timeout}"
    cfg = Config({**good.to_dict(), "work_dir": str(tmp_path), "experiment_name": name})
    cfg.train_dataloader.update(settings)
    loader = build_runner(cfg).build_dataloader(cfg.train_dataloader)
    assert loader.timeout == timeout
    assert isinstance(loader.collate_fn, CollateInWorker)
    assert loader.collate_fn.place == "train_dataloader"


def test_a_sample_that_cannot_be_loaded_is_named(good: Config) -> None:
    def fail(video: dict) -> None:
        raise KeyError("bbox")

    settings = {k: v for k, v in good.train_dataloader.dataset.items() if k != "type"}
    dataset = YouTubeVISDataset(**{**settings, "pipeline": [fail]})
    with pytest.raises(UserInputError, match=r"/train\.json: sample 1: KeyError: bbox$"):
        dataset[1]
