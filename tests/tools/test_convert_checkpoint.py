"""Conversion as a user runs it: from a file on disk to a model that computes the same."""

import json
import runpy
import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from foreign_checkpoints import as_mmpretrain, official_twins, vistr_state
from golden import draw_arrays, load_arrays
from mmengine.registry import MODELS
from safetensors.torch import save_file
from vistr_head_outputs import CASES, TOLERANCES, compute_outputs, expected_output, load_expected

from mmttsrn.apis.config_file import load_config
from mmttsrn.datasets.synthetic import write_moving_shapes
from mmttsrn.models import TwinsSVT

TOOLS = Path(__file__).resolve().parents[2] / "tools"
CONVERT = "model_converters/convert_checkpoint.py"
GOLDEN_ARCH = dict(embed_dims=(32, 64, 128, 256), num_heads=(1, 2, 4, 8), depths=(2, 2, 4, 2))
GOLDEN_TWINS = """
_base_ = ["mmttsrn::vis/ttsrn_ytvis19.py"]
model = dict(
    backbone=dict(
        arch=dict(
            _delete_=True,
            embed_dims=(32, 64, 128, 256),
            num_heads=(1, 2, 4, 8),
            depths=(2, 2, 4, 2),
        )
    ),
    neck=dict(in_channels=(32, 64, 128, 256)),
    mask_head=dict(fine_channels=(32, 64, 128)),
)
"""
GOLDEN_VISTR = """
_base_ = ["mmttsrn::vis/vistr_r50_ytvis19.py"]
model = dict(
    backbone=dict(init_cfg=None),
    neck=dict(num_layers=2, ffn_channels=128),
    head=dict(num_layers=2, ffn_channels=128, num_frames=4, num_instances=10),
    init_cfg=dict(type="mmttsrn.PretrainedWeights", checkpoint="converted.pth"),
)
"""
SMALL_VISTR = """
_base_ = ["mmttsrn::vis/vistr_r50_ytvis19.py"]
scale = (96, 64)
model = dict(
    neck=dict(num_layers=1, ffn_channels=64),
    head=dict(num_layers=1, ffn_channels=64, num_frames=2, num_instances=2),
)
test_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        data_root="shapes/",
        ann_file="valid.json",
        data_prefix=dict(img_path="valid/JPEGImages"),
        pipeline=[
            dict(
                type="mmttsrn.ClipBroadcaster",
                transforms=[
                    dict(type="mmttsrn.LoadVideoFrame"),
                    dict(type="mmdet.Resize", scale=scale, keep_ratio=True),
                ],
            ),
            dict(type="mmdet.PackTrackInputs", default_meta_keys={{_base_.meta_keys}}),
        ],
    ),
)
"""


@pytest.fixture
def run_tool(monkeypatch, tmp_path) -> Callable[..., None]:
    """Run a tool in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(tool: str, *arguments: str) -> None:
        monkeypatch.setattr(sys, "argv", [tool, *arguments])
        runpy.run_path(str(TOOLS / tool), run_name="__main__")

    return run


@pytest.fixture
def refuse(run_tool, capsys, tmp_path) -> Callable[..., str]:
    """Run the converter and return the line with which it refuses."""

    def run(*arguments: str) -> str:
        before = set(tmp_path.rglob("*"))
        with pytest.raises(SystemExit) as exit_:
            run_tool(CONVERT, *arguments)
        assert exit_.value.code == 2
        assert set(tmp_path.rglob("*")) == before
        return capsys.readouterr().err.strip().splitlines()[-1]

    return run


@pytest.mark.parametrize("kind", ["twins", "timm-twins", "mmpretrain-svt"])
def test_golden_twins_through_a_file(run_tool, capsys, tmp_path, kind: str) -> None:
    weights = draw_arrays("twins_svt/params.json")
    weights = {k: w for k, w in weights.items() if not k.startswith("norm_list.")}
    weights |= {"head.weight": torch.zeros(1000, 256), "norm.bias": torch.zeros(256)}
    source = "source.safetensors" if kind == "timm-twins" else "source.pth"
    if kind == "timm-twins":
        save_file(weights, tmp_path / source)
    elif kind == "twins":
        torch.save({"model": weights}, tmp_path / source)
    else:
        torch.save({"state_dict": as_mmpretrain(weights), "meta": {}}, tmp_path / source)
    (tmp_path / "golden.py").write_text(GOLDEN_TWINS)
    run_tool(CONVERT, source, "--from", kind, "--to", "golden.py", "--out", "new/converted.pth")
    printed = capsys.readouterr().out
    assert "the ImageNet classifier" in printed
    assert printed.strip().endswith("wrote new/converted.pth")
    init_cfg = dict(
        type="mmttsrn.PretrainedWeights", checkpoint="new/converted.pth", prefix="backbone."
    )
    model = TwinsSVT(arch=GOLDEN_ARCH, init_cfg=init_cfg).eval()
    model.init_weights()
    inputs = draw_arrays("twins_svt/params.json", "inputs")
    expected = load_arrays("twins_svt/expected.npz")
    for case in ("main", "odd", "div7"):
        with torch.no_grad():
            maps = model(inputs[f"input.{case}"])
        for stage, feature_map in enumerate(maps, start=1):
            torch.testing.assert_close(
                feature_map, expected[f"{case}.pad.stage{stage}"], rtol=0, atol=5e-5
            )


def test_golden_vistr_through_a_file(run_tool, refuse, capsys, tmp_path) -> None:
    """The reference's 42 class rows become our 40 classes and no-object; the rest is equal."""
    torch.save({"model": draw_arrays("vistr_head/params_vistr.json")}, tmp_path / "source.pth")
    (tmp_path / "golden.py").write_text(GOLDEN_VISTR)
    command = ["source.pth", "--from", "vistr", "--to", "golden.py", "--out", "converted.pth"]
    assert "would leave out a part; tensors that fit: backbone (0 of 265)" in refuse(*command)
    run_tool(CONVERT, *command, "--allow-missing-parts")
    assert "backbone" in capsys.readouterr().out  # newly initialised
    model = MODELS.build(load_config("golden.py").model).eval()
    model.init_weights()
    expected = load_expected()
    for case in CASES:
        outputs = compute_outputs(model, "vistr", case)
        assert outputs["logits"].shape[-1] == 41
        for name, tolerance in TOLERANCES.items():
            reference = expected_output(expected, "vistr", case, name)
            if name == "logits":
                reference = reference[..., 1:]
            torch.testing.assert_close(
                outputs[name], reference, rtol=0, atol=tolerance, msg=f"{case} {name}"
            )


def test_converted_vistr_runs_through_the_test_command(run_tool, capsys, tmp_path) -> None:
    source = vistr_state(50, ffn=64, layers=1, queries=4)
    # As its training program writes it; PyTorch 1.6 and before used the older file format.
    content = {"model": source, "optimizer": {}, "epoch": 17, "args": Namespace(lr=1e-4)}
    torch.save(content, tmp_path / "source.pth", _use_new_zipfile_serialization=False)
    (tmp_path / "small.py").write_text(SMALL_VISTR)
    write_moving_shapes(tmp_path / "shapes", 1, 1, num_frames=3, size=(64, 96))
    annotations = json.loads((tmp_path / "shapes/valid.json").read_text())
    annotations["categories"] = [{"id": i, "name": f"class {i}"} for i in range(1, 41)]
    (tmp_path / "shapes/valid.json").write_text(json.dumps(annotations))
    run_tool(CONVERT, "source.pth", "--from", "vistr-r50", "--to", "small.py", "--out", "x.pth")
    assert "newly initialised (" not in capsys.readouterr().out
    run_tool("test.py", "small.py", "x.pth", "--work-dir", "out")
    results = list((tmp_path / "out").rglob("results.json"))
    assert len(results) == 1
    assert isinstance(json.loads(results[0].read_text()), list)
    assert list((tmp_path / "out").rglob("results.zip"))


def test_cfg_options_change_the_model(run_tool, capsys, tmp_path) -> None:
    source = vistr_state(50, ffn=64, layers=1, queries=4)
    torch.save({"model": source}, tmp_path / "source.pth")
    options = ["model.head.num_classes=3", "model.neck.num_layers=1", "model.neck.ffn_channels=64"]
    command = ["source.pth", "--from", "vistr", "--to", "vistr_r50_ytvis19", "--out", "x.pth"]
    run_tool(CONVERT, *command, "--cfg-options", *options)
    printed = capsys.readouterr().out
    assert (
        "other classes: vistr.class_embed.weight (40 in the checkpoint, 3 in the model)" in printed
    )
    checkpoint = torch.load(tmp_path / "x.pth", weights_only=True)
    assert "head.cls_branch.layers.0.weight" not in checkpoint["state_dict"]
    assert checkpoint["meta"]["converted_from"] == "vistr"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.pth", "--from", "detr"], "error: missing.pth: there is no such checkpoint file"),
        (["source.pth", "--from", "detr"], "error: source.pth: not a DETR, as --from detr expects"),
        (["source.pth", "--from", "coco"], "argument --from: invalid choice: 'coco'"),
        (
            ["source.pth", "--from", "twins", "--out", "x.bin"],
            "--out: expected a name that ends",
        ),
        (["source.pth", "--from", "twins", "--out", "source.pth"], "is an input of this"),
        (["source.pth", "--from", "twins", "--to", "x.py"], "error: x.py: there is no such config"),
        (["source.pth", "--from", "twins", "--to", "ttsrn_tiny_shapes"], "18 blocks, but"),
    ],
)
def test_refusals(refuse, tmp_path, arguments: list[str], message: str) -> None:
    state = {name: torch.zeros(1) for name in official_twins("small")}
    torch.save(state, tmp_path / "source.pth")
    for option, default in (("--to", "ttsrn_ytvis19"), ("--out", "x.pth")):
        if option not in arguments:
            arguments = [*arguments, option, default]
    assert message in refuse(*arguments)
