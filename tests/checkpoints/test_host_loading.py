"""MMEngine's own reading of checkpoints, made safe."""

import warnings

import pytest
import torch
from mmengine.hooks import EMAHook, Hook
from mmengine.model import BaseModel
from mmengine.runner import CheckpointLoader, Runner, load_checkpoint
from planted import plant_call, plant_getattr, program
from torch import nn

from mmttsrn.apis.config_file import load_config
from mmttsrn.checkpoints import host_loading
from mmttsrn.checkpoints.host_loading import load_for_host, local_path, safe_host_loading
from mmttsrn.engine.hooks import SafeCheckpointHook
from mmttsrn.errors import UserInputError


class Regression(BaseModel):
    """Learns a line."""

    def __init__(self, init_cfg=None):
        super().__init__(init_cfg=init_cfg)
        self.linear = nn.Linear(1, 1)

    def forward(self, x, y, mode="tensor"):
        return {"loss": ((self.linear(x) - y) ** 2).mean()}


def build_runner(folder, max_iters, name, model=None, hooks=(), **settings) -> Runner:
    data = [{"x": torch.tensor([float(i)]), "y": torch.tensor([2.0 * i])} for i in range(4)]
    return Runner(
        model=model or Regression(),
        work_dir=str(folder),
        train_dataloader=dict(
            dataset=data,
            batch_size=2,
            sampler=dict(type="InfiniteSampler", shuffle=False),
            collate_fn=dict(type="default_collate"),
        ),
        train_cfg=dict(type="IterBasedTrainLoop", max_iters=max_iters),
        optim_wrapper=dict(optimizer=dict(type="AdamW", lr=0.1)),
        param_scheduler=[
            dict(type="OneCycleLR", eta_max=0.1, total_steps=8, by_epoch=False),
            dict(type="LinearLR", by_epoch=False, end=4),
        ],
        default_hooks=dict(checkpoint=dict(type="CheckpointHook", by_epoch=False, interval=4)),
        custom_hooks=[*hooks],
        default_scope="mmengine",
        experiment_name=name,
        **settings,
    )


def test_training_with_ema_resumes_as_if_it_had_not_stopped(tmp_path):
    """Log buffers, optimizer state, schedulers with functions, EMA: all under the safe rule."""
    build_runner(tmp_path / "whole", 8, "whole", hooks=[EMAHook()]).train()
    second = build_runner(
        tmp_path / "parts",
        8,
        "second",
        hooks=[SafeCheckpointHook(), EMAHook()],
        load_from=str(tmp_path / "whole" / "iter_4.pth"),
        resume=True,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        second.train()
    paths = (tmp_path / "whole" / "iter_8.pth", tmp_path / "parts" / "iter_8.pth")
    expected, resumed = (load_for_host(str(path)) for path in paths)
    for key in ("state_dict", "ema_state_dict"):
        for name, tensor in expected[key].items():
            assert torch.equal(resumed[key][name], tensor), name
    assert resumed["param_schedulers"] == expected["param_schedulers"]
    logs = [
        content["message_hub"]["log_scalars"]["train/loss"].data for content in (expected, resumed)
    ]
    assert len(logs[0][0]) == 8
    assert (logs[0][0] == logs[1][0]).all()


class Holder(BaseModel):
    """Holds the model under the name that is left out of checkpoints."""

    def __init__(self):
        super().__init__()
        self.model = Regression()

    def forward(self, x, y, mode="tensor"):
        return self.model(x, y, mode)


class CompileHook(Hook):
    """Compiles a part of a model, as a user's hook does."""

    def before_train(self, runner):
        runner.model.linear = torch.compile(runner.model.linear, backend="eager")


@pytest.mark.parametrize(
    ("model", "hook", "name"),
    [(Regression, CompileHook, "linear._orig_mod.bias"), (Holder, EMAHook, "model.linear.bias")],
)
def test_training_resumes_whatever_its_model_is_wrapped_in(tmp_path, model, hook, name):
    build_runner(tmp_path / "whole", 8, f"whole_{name}", model(), hooks=[hook()]).train()
    path = tmp_path / "whole" / "iter_4.pth"
    second = build_runner(
        tmp_path / "parts", 8, f"parts_{name}", model(),
        hooks=[SafeCheckpointHook(), hook()], load_from=str(path), resume=True,
    )  # fmt: skip
    second.train()
    expected, resumed = (
        torch.load(tmp_path / folder / "iter_8.pth", weights_only=False)
        for folder in ("whole", "parts")
    )
    assert name in expected["state_dict"]
    for key in {"state_dict", "ema_state_dict"} & expected.keys():
        assert expected[key].keys() == resumed[key].keys()
        for entry, tensor in expected[key].items():
            assert torch.equal(resumed[key][entry], tensor), entry


@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "model._orig_mod."])
@pytest.mark.parametrize("entry", ["state_dict", "model", None])
def test_init_cfg_takes_weights_by_any_names(tmp_path, prefix, entry):
    weights = {"linear.weight": torch.rand(1, 1), "linear.bias": torch.rand(1)}
    state = {prefix + name: tensor for name, tensor in weights.items()}
    torch.save({entry: state} if entry else state, tmp_path / "x.pth")
    model = Regression(init_cfg=dict(type="Pretrained", checkpoint=str(tmp_path / "x.pth")))
    with safe_host_loading():
        model.init_weights()
    for name, tensor in weights.items():
        assert torch.equal(model.state_dict()[name], tensor)


def test_init_cfg_with_a_file_without_weights_is_refused(tmp_path):
    """MMEngine says in the log that nothing fits, and goes on."""
    torch.save({"epoch": 3}, tmp_path / "x.pth")
    model = Regression(init_cfg=dict(type="Pretrained", checkpoint=str(tmp_path / "x.pth")))
    with safe_host_loading(), pytest.raises(UserInputError, match="not a checkpoint"):
        model.init_weights()


@pytest.mark.parametrize("plant", [plant_call, plant_getattr])
@pytest.mark.parametrize("resume", [True, False])
def test_hook_keeps_a_foreign_launcher_safe(tmp_path, plant, resume):
    marker = tmp_path / "marker"
    path = plant(tmp_path / "x.pth", marker)
    runner = build_runner(
        tmp_path, 8, f"foreign_{plant.__name__}_{resume}", hooks=[SafeCheckpointHook()],
        load_from=str(path), resume=resume,
    )  # fmt: skip
    with pytest.raises(UserInputError, match="refused"):
        runner.train()
    assert not marker.exists()


@pytest.mark.parametrize("plant", [plant_call, plant_getattr])
def test_init_cfg_is_safe(tmp_path, plant):
    marker = tmp_path / "marker"
    path = plant(tmp_path / "x.pth", marker)
    model = Regression(init_cfg=dict(type="Pretrained", checkpoint=str(path)))
    with safe_host_loading(), pytest.raises(UserInputError, match="refused"):
        model.init_weights()
    assert not marker.exists()


def test_without_it_mmengine_runs_the_planted_code(tmp_path):
    """The planted file does what it is planted for, so that the tests above can fail."""
    marker = tmp_path / "marker"
    path = plant_call(tmp_path / "x.pth", marker)
    with pytest.raises(RuntimeError):  # no weights in it
        load_checkpoint(Regression(), str(path), strict=True)
    assert marker.exists()


def test_config_text_of_old_checkpoints_is_not_run_on_resuming(tmp_path):
    marker = tmp_path / "marker"
    build_runner(tmp_path, 4, "old").train()
    content = torch.load(tmp_path / "iter_4.pth", weights_only=False)
    content["meta"]["config"] = program(marker)
    torch.save(content, tmp_path / "iter_4.pth")
    runner = build_runner(
        tmp_path, 5, "old_resumed", hooks=[SafeCheckpointHook()],
        load_from=str(tmp_path / "iter_4.pth"), resume=True,
    )  # fmt: skip
    runner.train()
    assert runner.iter == 5
    assert not marker.exists()


def test_table_of_the_host_is_restored_and_the_outermost_counts(tmp_path):
    before = CheckpointLoader._schemes
    marker = tmp_path / "marker"
    path = plant_call(tmp_path / "x.pth", marker, state_dict={"weight": torch.zeros(2)})
    with safe_host_loading(allow_unsafe=True), safe_host_loading():
        CheckpointLoader.load_checkpoint(str(path))
    assert marker.exists()
    assert CheckpointLoader._schemes is before


def save_weights(path) -> str:
    torch.save({"state_dict": {"weight": torch.zeros(2)}}, path)
    return str(path)


def test_what_was_read_ahead_is_handed_out_once(tmp_path):
    path, other = save_weights(tmp_path / "x.pth"), save_weights(tmp_path / "y.pth")
    with safe_host_loading() as reader:
        ahead = reader.read_ahead(path)
        assert CheckpointLoader.load_checkpoint(other)["state_dict"].keys() == {"weight"}
        first, second = (CheckpointLoader.load_checkpoint(path) for _ in range(2))
    assert first is ahead
    assert second is not ahead
    assert torch.equal(second["state_dict"]["weight"], ahead["state_dict"]["weight"])


def test_reader_of_the_outermost_serves_the_inner_ones():
    with safe_host_loading() as outer, safe_host_loading(allow_unsafe=True) as inner:
        assert inner is outer
    with safe_host_loading() as later:
        assert later is not outer


@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize("shared", [True, False])
def test_other_processes_wait_and_get_their_own_copy(tmp_path, monkeypatch, rank, shared):
    """Machines that share no cache: what the first process has downloaded is not here."""
    events = []
    target = tmp_path / "cached.pth"

    def get(source, sha256):
        events.append("here" if target.exists() else "download")
        target.touch()
        return target

    def wait():
        events.append("barrier")
        if shared:
            target.touch()

    monkeypatch.setattr(host_loading, "fetch", get)
    monkeypatch.setattr(host_loading, "get_rank", lambda: rank)
    monkeypatch.setattr(host_loading, "barrier", wait)
    assert local_path("https://x.org/x.pth") == target
    if rank == 0:
        assert events == ["download", "barrier", "here"]
    else:
        assert events == ["barrier", "here" if shared else "download"]


@pytest.mark.parametrize("source", ["s3://bucket/x.pth", "pavi://x", "open-mmlab://no_such_model"])
def test_other_sources_are_refused(source):
    with pytest.raises(UserInputError, match=f"^{source}: "):
        load_for_host(source)


def test_configs_of_the_package_have_the_hook():
    cfg = load_config("ttsrn_ytvis19")
    assert dict(type="mmttsrn.SafeCheckpointHook") in cfg.custom_hooks
