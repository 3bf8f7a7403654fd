"""What is said of a wrong value where a run is built from its config."""

import locale
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
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
        (
            "optim_wrapper.paramwise_cfg",
            dict(custom_keys=dict(backbone=dict(lr_mult=0.1))),
            "param_scheduler: OneCycleLR gives all parameters the rate",
        ),
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


def test_logs_and_copies_of_the_config_have_no_secrets(
    good: Config, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    source = tmp_path / "in" / "of_this_run.py"
    source.parent.mkdir()
    source.touch()
    cfg = Config(good.to_dict(), filename=str(source))
    cfg.update(work_dir=str(tmp_path), experiment_name="addresses")
    address = "https://bob:secret@host/x.pth?token=abcd"
    cfg.urls = [[address], dict(a=({"b": address},))]  # which nothing reads
    cfg.visualizer.name = "addresses"
    cfg.model.backbone.init_cfg = dict(type="mmttsrn.PretrainedWeights", url=address)
    runner = build_runner(cfg)
    assert runner.model.backbone.init_cfg["url"] == address
    runner.logger.info("Load checkpoint from %s", address)
    runner.save_checkpoint(str(tmp_path), "x.pth", save_optimizer=False, save_param_scheduler=False)
    meta = torch.load(tmp_path / "x.pth", weights_only=False)["meta"]
    logs = list(tmp_path.rglob("*.log"))
    copies = [*logs, tmp_path / source.name, *tmp_path.rglob("config.py")]
    assert len(copies) == 3
    for text in (meta["cfg"], "".join(capfd.readouterr()), *(path.read_text() for path in copies)):
        assert "https://***@host/x.pth?token=***" in text
        assert "secret" not in text
        assert "abcd" not in text


def test_logs_show_every_name(
    good: Config, tmp_path: Path, capfd: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = logging.FileHandler._open

    def open_narrow(handler: logging.FileHandler) -> object:
        """Open a file as where the locale has no other characters."""
        handler.encoding = "ascii"
        return opened(handler)

    monkeypatch.setattr(logging.FileHandler, "_open", open_narrow)
    cfg = Config({**good.to_dict(), "work_dir": str(tmp_path), "experiment_name": "names"})
    build_runner(cfg).logger.info("猫\tcaf\udce9 \x1b[2J\nnext line")
    (log,) = tmp_path.rglob("*.log")
    for text in (log.read_text("utf-8"), capfd.readouterr().out):
        assert "猫\\tcaf\\udce9 \\x1b[2J\nnext line\n" in text


@pytest.mark.usefixtures("locale_without_characters")
def test_a_work_folder_may_have_any_name(good: Config, tmp_path: Path) -> None:
    folder = tmp_path / "试验"
    cfg = Config({**good.to_dict(), "work_dir": str(folder), "experiment_name": "any_name"})
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    cfg.default_hooks.checkpoint.interval = 1
    build_runner(cfg).train()
    assert (folder / "last_checkpoint").read_text() == "iter_1.pth"


@pytest.fixture
def locale_without_characters() -> Iterator[None]:
    before = locale.setlocale(locale.LC_CTYPE)
    locale.setlocale(locale.LC_CTYPE, "C")
    yield
    locale.setlocale(locale.LC_CTYPE, before)


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


def test_the_model_takes_weights_compiled_or_not(good: Config, tmp_path: Path) -> None:
    runner = build_runner(
        Config({**good.to_dict(), "work_dir": str(tmp_path), "experiment_name": "compiled"})
    )
    state = {name: torch.rand_like(x) for name, x in runner.model.neck.state_dict().items()}
    torch.save({f"module.neck.{name}": x for name, x in state.items()}, tmp_path / "x.pth")
    runner.model.neck = torch.compile(runner.model.neck, backend="eager")
    runner.load_checkpoint(str(tmp_path / "x.pth"))
    for name, tensor in runner.model.neck.state_dict().items():
        assert torch.equal(state[name.removeprefix("_orig_mod.")], tensor)
