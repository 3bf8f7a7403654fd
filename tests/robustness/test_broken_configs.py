"""Configs and command lines that are broken."""

from collections.abc import Callable
from pathlib import Path

import pytest
from commands import run_command
from faults import PATHS, refused
from good_inputs import RELEASE, GoodInputs

from mmttsrn.apis.config_file import load_config

EVALUATE = "analysis_tools/eval_vis.py {truth} {results}"
OVERLAY = "visualization/overlay_results.py {truth} {results} --img-root {images} --out out/x"
REPORT = "visualization/html_report.py {truth} {results} --img-root {images} --out out/x"
INFERENCE = f"inference.py {{video}} --model {RELEASE} --device cpu --out out/x"
CONVERT = (
    "model_converters/convert_checkpoint.py {trained} --from twins --to {config} --out out/x.pth"
)
PUBLISH = "model_converters/publish_model.py {trained} out/release"
TRAIN = "train.py {config} --work-dir out"
TEST = "test.py {config} {released} --work-dir out"
BASE = '_base_ = ["{config}"]\n'
# Text of a config that cannot be read.
NO_CONFIGS = {
    "empty": "",
    "syntax error": "model = dict(",
    "not Python": "this is no config",
    "unknown name": BASE + "model = dict(head=heads)",
    "division by zero": BASE + "x = 1 / 0",
    "base missing": '_base_ = ["missing.py"]',
    "base of an unknown package": '_base_ = ["nothing::vis/x.py"]',
    "base of the package missing": '_base_ = ["mmttsrn::vis/x.py"]',
    "base a number": "_base_ = 5",
    "base itself": '_base_ = ["./a.py"]',
    "unknown module": BASE + "import nothing_of_this_name",
    "null byte": BASE + "x = 'a\0b'",
    "exit": "raise SystemExit(0)",
}


def write(folder: Path, text: str, good: GoodInputs) -> Path:
    path = folder / "a.py"
    path.write_text(text.replace("{config}", str(good.config)))
    return path


@pytest.mark.parametrize("text", NO_CONFIGS.values(), ids=NO_CONFIGS)
def test_files_that_are_no_config(good: GoodInputs, tmp_path: Path, text: str) -> None:
    with refused("a.py"):
        load_config(str(write(tmp_path, text, good)))


@pytest.mark.parametrize("place", PATHS.values(), ids=PATHS)
def test_paths_of_no_config(tmp_path: Path, place: Callable) -> None:
    path = place(tmp_path, "a.py")
    with refused(path.name):
        load_config(str(path))


# What the model of the config is set to, and what the message names: the key or the name that is
# wrong. ``a|b`` is either.
MODELS = [
    ('"text"', "model"),
    ("[1]", "model"),
    ("None", "model"),
    ("dict(colour=3)", "colour"),
    ("dict(type=5)", "type"),
    ('dict(type="mmttsrn.TTSRM")', "mmttsrn.TTSRM|TTSRM"),
    ("dict(neck=dict(embed_dim=3))", "embed_dim"),
    ("dict(backbone=dict(embed_dim=3))", "embed_dim"),
    ("dict(backbone=None)", "backbone"),
    ("dict(head=None)", "head"),
    ('dict(head="text")', "head"),
    ("dict(head=[1])", "head"),
    ("dict(head=dict(type=None))", "head|type"),
    ('dict(head=dict(type="mmttsrn.Heed"))', "mmttsrn.Heed|Heed"),
    ('dict(head=dict(_delete_=True, type="os.getcwd"))', "head"),
    ("dict(head=dict(num_instance=3))", "num_instance"),
    ("dict(head=dict(num_classes=0))", "num_classes"),
    ("dict(head=dict(num_classes=-1))", "num_classes"),
    ('dict(head=dict(num_classes="4"))', "num_classes|head"),
    ("dict(head=dict(num_classes=4.5))", "num_classes|head"),
    ("dict(head=dict(num_frames=0))", "num_frames"),
    ("dict(head=dict(num_instances=0))", "num_instances"),
    ("dict(post_processor=dict(max_pixel=5))", "max_pixel"),
    ('dict(post_processor=dict(type="Nothing"))', "Nothing"),
    ("dict(clip_linker=dict(min_overlapp=5))", "min_overlapp"),
]


@pytest.mark.parametrize(("value", "says"), MODELS, ids=[value for value, _ in MODELS])
def test_broken_models(good: GoodInputs, tmp_path: Path, value: str, says: str) -> None:
    path = write(tmp_path, f"{BASE}model = {value}", good)
    run_command(
        *CONVERT.format(trained=good.trained, config=path).split(), folder=tmp_path
    ).check_refused(says)


# Settings that only a run reads, and what the message names.
TRAINING = [
    ("train_dataloader=None", "train_dataloader"),
    ("optim_wrapper=None", "optim_wrapper"),
    ("train_cfg=None", "train_cfg"),
    ("model.criterion=None", "criterion"),
    ("model.criterion.los_mask=1", "los_mask"),
    ("model.criterion.matcher.type=Nothing", "Nothing"),
    ("model.head.num_classes=2", "num_classes"),
    ("train_dataloader.dataset.type=Nothing", "Nothing"),
    ("train_dataloader.dataset.ann_fil=x", "ann_fil"),
    ("train_dataloader.dataset.ann_file=missing.json", "missing.json"),
    ("train_dataloader.dataset.data_root=/nothing", "nothing"),
    ("train_dataloader.dataset.data_prefix=train", "train_dataloader"),
    ("train_dataloader.dataset.data_prefix.img_path=nothing", "nothing"),
    ("train_dataloader.dataset.pipeline=None", "pipeline"),
    ("train_dataloader.dataset.pipeline=[]", "pipeline"),
    ("train_dataloader.dataset.pipeline.0.type=Nothing", "Nothing"),
    ("train_dataloader.dataset.pipeline.0.num_frames=0", "num_frames"),
    ("train_dataloader.dataset.pipeline.9.num_frames=3", "train_dataloader.dataset.pipeline"),
    ("train_dataloader.dataset.metainfo.classes=[disc,cat]", "cat"),
    ("train_dataloader.batch_size=0", "batch_size|train_dataloader"),
    ("train_dataloader.batch_size=1.5", "batch_size|train_dataloader"),
    ("train_dataloader.num_workers=-1", "num_workers"),
    ("train_dataloader.sampler.type=Nothing", "Nothing"),
    ("train_cfg.max_iters=-1", "max_iters|train_cfg"),
    ("train_cfg.type=Nothing", "Nothing"),
    ("train_cfg.max_iter=1", "max_iter"),
    ("optim_wrapper.optimizer.type=Nothing", "Nothing"),
    ("optim_wrapper.optimizer.lrr=1", "lrr"),
    ("optim_wrapper.optimizer.lr=-1", "lr|optim_wrapper"),
    ("optim_wrapper.optimizer.lr=nan", "lr|optim_wrapper"),
    ("param_scheduler=text", "param_scheduler"),
    ("custom_hooks.0.type=Nothing", "Nothing"),
    ("default_hooks.checkpoint.intervall=1", "intervall"),
    ("randomness.seed=text", "seed"),
    ("randomness.seed=-1", "seed"),
    ("load_from=missing.pth", "missing.pth"),
    ("log_level=LOUD", "LOUD"),
]
TESTING = [
    ("test_dataloader=None", "test_dataloader"),
    ("test_evaluator=None", "test_evaluator"),
    ("test_cfg=None", "test_cfg"),
    ("test_evaluator.type=Nothing", "Nothing"),
    ("test_evaluator.class_wise=True", "class_wise"),
    ("test_evaluator=text", "test_evaluator"),
    ("test_evaluator.outfile_prefix=/proc/x/results", "x|outfile_prefix"),
    ("test_dataloader.batch_size=0", "batch_size|test_dataloader"),
    ("test_dataloader.dataset.ann_file=nothing.json", "nothing.json"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("setting", "says"), TRAINING, ids=[setting for setting, _ in TRAINING])
def test_broken_settings_of_training(
    good: GoodInputs, tmp_path: Path, setting: str, says: str
) -> None:
    words = ("train.py", good.config, "--work-dir", "out", "--cfg-options", setting)
    run_command(*words, folder=tmp_path).check_refused(says)


@pytest.mark.slow
@pytest.mark.parametrize(("setting", "says"), TESTING, ids=[setting for setting, _ in TESTING])
def test_broken_settings_of_testing(
    good: GoodInputs, tmp_path: Path, setting: str, says: str
) -> None:
    words = ("test.py", good.config, good.released, "--work-dir", "out", "--cfg-options", setting)
    run_command(*words, folder=tmp_path).check_refused(says)


# Command and options that it refuses; the message names the first of them, or what stands behind.
OPTIONS = [
    (
        EVALUATE,
        ["--threads 0", "--threads nan", "--unknown", "--compare missing.json :missing.json"],
    ),
    ("analysis_tools/make_submission.py {truth} {results}", ["--out x.tar"]),
    (OVERLAY, ["--fps 0", "--fps -1", "--fps nan", "--fps inf", "--fps 1e300", "--fps 1e-300"]),
    (
        OVERLAY,
        ["--score-thr nan", "--video-id 9", "--max-videos 0", "--img-root /nothing :nothing"],
    ),
    (REPORT, ["--fps 0", "--fps nan", "--score-thr nan", "--max-videos 0"]),
    (INFERENCE, ["--window 0", "--window 1000000", "--overlap -1", "--overlap 99", "--latency -1"]),
    (INFERENCE, ["--device tpu9", "--device cuda:99", "--device meta", "--score-thr nan"]),
    (INFERENCE, ["--classes cat", "--png --boxes-only", "--weights missing.pth :missing.pth"]),
    (CONVERT, ["--from detr :trained.pth", "--to missing :missing", "--out x.json"]),
    (
        PUBLISH,
        ["--name ../x", "--name -", "--date yesterday", "--metrics AP=x", "--metrics AP=nan"],
    ),
    (TRAIN, ["--resume missing.pth :missing.pth", "--launcher slurm", "--auto-scale-lr"]),
    (TRAIN, ["--cfg-options =5", "--cfg-options a..b=3", "--cfg-options model.type.x=3"]),
    (TRAIN, ["--cfg-options model.head.num_classes=[1,2", "--cfg-options data_root=/nothing"]),
    (TEST, ["--out x.json", "--launcher mpi"]),
    ("demo.py", ["--seed -1", "--data /nothing :nothing"]),
]
LINES = [(f"{command} {line}", line) for command, lines in OPTIONS for line in lines]


@pytest.mark.parametrize(
    ("command", "option"), LINES, ids=[f"{c.split()[0][:-3]} {line}" for c, line in LINES]
)
def test_broken_options(good: GoodInputs, tmp_path: Path, command: str, option: str) -> None:
    names = ("truth", "results", "images", "video", "trained", "released", "config")
    given = {name: getattr(good, name) for name in names}
    words = [word.format(**given) for word in command.split() if word[0] != ":"]
    name = option.split()[0]
    says = option.split(":")[-1] if " :" in option else f"{name}|{name.lstrip('-')}"
    run_command(*words, folder=tmp_path).check_refused(says)
