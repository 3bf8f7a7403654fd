"""What the commands have in common."""

import argparse

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from torch import nn

from mmttsrn.cli import command_line
from mmttsrn.cli.command_line import (
    add_common_arguments,
    enable_amp,
    prepare_distributed,
    set_work_dir,
)
from mmttsrn.engine.bfloat16 import BFloat16OptimWrapper


def parse(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_common_arguments(parser)
    return parser.parse_args(arguments)


def test_options_are_parsed_as_mmengine_does():
    args = parse("--cfg-options", "a.b=1", "c=[x,2.5]", "d=None", "e=f=g")
    assert args.cfg_options == {"a.b": 1, "c": ["x", 2.5], "d": None, "e": "f=g"}


@pytest.mark.parametrize("spelling", ["--local_rank", "--local-rank"])
def test_both_spellings_of_the_local_rank(spelling):
    assert parse(f"{spelling}=2").local_rank == 2


@pytest.mark.parametrize("value", ["a.b", "a=[1,2", "a=(1,2))"])
def test_malformed_options_are_usage_errors(value, capsys):
    with pytest.raises(SystemExit) as exit_:
        parse("--cfg-options", value)
    assert exit_.value.code == 2
    assert "error: argument --cfg-options: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "in_config", "expected"),
    [("x", "y", "x"), (None, "y", "y"), (None, None, "work_dirs/tiny")],
)
@pytest.mark.parametrize("name", ["configs/vis/tiny.py", "mmttsrn::vis/tiny", "tiny"])
def test_work_dir(given, in_config, expected, name):
    cfg = Config(dict(work_dir=in_config))
    set_work_dir(cfg, given, name)
    assert cfg.work_dir == expected


@pytest.fixture
def started(monkeypatch) -> list[str]:
    """Backends of the process groups that are started, on a machine without an accelerator."""
    backends: list[str] = []
    monkeypatch.setattr(command_line, "get_device", lambda: "cpu")
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: False)
    monkeypatch.setattr(torch.distributed, "init_process_group", backends.append)
    return backends


def test_cpu_processes_use_gloo(started):
    cfg = Config(dict(env_cfg=dict(dist_cfg=dict(backend="nccl")), find_unused_parameters=True))
    prepare_distributed(cfg, "pytorch", local_rank=0)
    assert started == ["gloo"]
    assert cfg.env_cfg.dist_cfg.backend == "gloo"
    assert cfg.model_wrapper_cfg.device_ids is None
    assert cfg.model_wrapper_cfg.find_unused_parameters is True


def test_own_model_wrapper_is_kept(started):
    cfg = Config(dict(model_wrapper_cfg=dict(type="MMDistributedDataParallel", static_graph=True)))
    prepare_distributed(cfg, "pytorch", local_rank=0)
    assert cfg.model_wrapper_cfg.static_graph is True
    assert cfg.model_wrapper_cfg.device_ids is None


def test_gpu_processes_are_left_to_mmengine(started, monkeypatch):
    monkeypatch.setattr(command_line, "get_device", lambda: "cuda")
    cfg = Config(dict(env_cfg=dict(dist_cfg=dict(backend="nccl"))))
    prepare_distributed(cfg, "pytorch", local_rank=0)
    assert started == []
    assert cfg.env_cfg.dist_cfg.backend == "nccl"


@pytest.mark.parametrize(
    ("has_bfloat16", "precision"),
    [(True, dict(dtype="bfloat16")), (False, dict(loss_scale="dynamic"))],
)
def test_amp_on_a_gpu(has_bfloat16, precision, monkeypatch):
    monkeypatch.setattr(command_line, "get_device", lambda: "cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: has_bfloat16)
    cfg = Config(dict(optim_wrapper=dict(type="OptimWrapper")))
    enable_amp(cfg)
    assert cfg.optim_wrapper == dict(type="AmpOptimWrapper", **precision)


def test_amp_on_a_cpu_runs_in_bfloat16(monkeypatch):
    monkeypatch.setattr(command_line, "get_device", lambda: "cpu")
    optimizer = dict(type="SGD", lr=0.1)
    cfg = Config(dict(optim_wrapper=dict(type="OptimWrapper", optimizer=optimizer)))
    enable_amp(cfg)
    layer = nn.Linear(3, 2)
    wrapper = build_optim_wrapper(layer, cfg.optim_wrapper)
    assert isinstance(wrapper, BFloat16OptimWrapper)
    with wrapper.optim_context(layer):
        output = layer(torch.ones(1, 3))
    assert output.dtype == torch.bfloat16
    before = layer.weight.detach().clone()
    wrapper.update_params(output.float().sum())
    assert layer.weight.dtype == torch.float32
    assert not torch.equal(layer.weight, before)
