"""Configs with a fault."""

from collections.abc import Iterator
from typing import Any

from broken_inputs.cases import ACCEPTED, EITHER, REFUSED, Case, Fault, Workspace
from broken_inputs.files import PATH_FAULTS

USERS = ("train", "test", "inference", "convert", "publish", "demo")
BASE = '_base_ = ["{config}"]\n'
# Text after the good config, for all commands that read one.
MODEL_FAULTS: dict[str, tuple[str, str]] = {
    "neck key misspelt": (REFUSED, "model = dict(neck=dict(embed_dim=3))"),
    "backbone key misspelt": (REFUSED, "model = dict(backbone=dict(embed_dim=3))"),
    "head key misspelt": (REFUSED, "model = dict(head=dict(num_instance=3))"),
    "unknown key of the model": (REFUSED, "model = dict(colour=3)"),
    "unknown type of the model": (REFUSED, 'model = dict(type="mmttsrn.TTSRM")'),
    "unknown type of the head": (REFUSED, 'model = dict(head=dict(type="mmttsrn.Heed"))'),
    "type of a function": (REFUSED, 'model = dict(head=dict(_delete_=True, type="os.getcwd"))'),
    "type a number": (REFUSED, "model = dict(type=5)"),
    "type null": (REFUSED, "model = dict(head=dict(type=None))"),
    "head null": (REFUSED, "model = dict(head=None)"),
    "head text": (REFUSED, 'model = dict(head="text")'),
    "head a list": (REFUSED, "model = dict(head=[1])"),
    "backbone missing": (REFUSED, "model = dict(backbone=None)"),
    "model a list": (REFUSED, "model = [1]"),
    "model text": (REFUSED, 'model = "text"'),
    "model null": (REFUSED, "model = None"),
    "classes 0": (REFUSED, "model = dict(head=dict(num_classes=0))"),
    "classes -1": (REFUSED, "model = dict(head=dict(num_classes=-1))"),
    "classes text": (REFUSED, 'model = dict(head=dict(num_classes="4"))'),
    "classes 4.5": (REFUSED, "model = dict(head=dict(num_classes=4.5))"),
    "frames 0": (REFUSED, "model = dict(head=dict(num_frames=0))"),
    "frames -1": (REFUSED, "model = dict(head=dict(num_frames=-1))"),
    "instances 0": (REFUSED, "model = dict(head=dict(num_instances=0))"),
    "instances text": (REFUSED, 'model = dict(head=dict(num_instances="10"))'),
}
FILE_FAULTS: dict[str, tuple[str, str]] = {
    "empty": (REFUSED, ""),
    "syntax error": (REFUSED, "model = dict("),
    "not Python": (REFUSED, "this is no config"),
    "unknown name": (REFUSED, BASE + "model = dict(head=heads)"),
    "division by zero": (REFUSED, BASE + "x = 1 / 0"),
    "base missing": (REFUSED, '_base_ = ["missing.py"]'),
    "base of an unknown package": (REFUSED, '_base_ = ["nothing::vis/x.py"]'),
    "base of the package missing": (REFUSED, '_base_ = ["mmttsrn::vis/x.py"]'),
    "base a number": (REFUSED, "_base_ = 5"),
    "base itself": (REFUSED, '_base_ = ["./config.py"]'),
    "import of an unknown module": (REFUSED, BASE + "import nothing_of_this_name"),
    "custom import missing": (
        REFUSED,
        BASE + 'custom_imports = dict(imports=["nothing_x"], allow_failed_imports=False)',
    ),
    "null byte": (REFUSED, BASE + "x = 'a\0b'"),
    "exit": (REFUSED, "raise SystemExit(0)"),
}
# Only for training or testing.
RUN_FAULTS: dict[str, tuple[str, str, str]] = {
    "unknown top-level key": ("train", ACCEPTED, "colour = 3"),
    "no train_dataloader": ("train", REFUSED, "train_dataloader = None"),
    "no optim_wrapper": ("train", REFUSED, "optim_wrapper = None"),
    "no train_cfg": ("train", REFUSED, "train_cfg = None"),
    "data set of an unknown type": (
        "train", REFUSED, 'train_dataloader = dict(dataset=dict(type="Nothing"))',
    ),
    "data set key misspelt": (
        "train", REFUSED, 'train_dataloader = dict(dataset=dict(ann_fil="x"))',
    ),
    "no ann_file": ("train", REFUSED, "train_dataloader = dict(dataset=dict(ann_file=None))"),
    "data_root missing": (
        "train", REFUSED, 'train_dataloader = dict(dataset=dict(data_root="/nothing"))',
    ),
    "data_root null": ("train", EITHER, "train_dataloader = dict(dataset=dict(data_root=None))"),
    "data_prefix missing": (
        "train", REFUSED,
        'train_dataloader = dict(dataset=dict(data_prefix=dict(img_path="nothing")))',
    ),
    "data_prefix text": (
        "train", REFUSED, 'train_dataloader = dict(dataset=dict(data_prefix="train"))',
    ),
    "pipeline null": ("train", REFUSED, "train_dataloader = dict(dataset=dict(pipeline=None))"),
    "pipeline empty": ("train", REFUSED, "train_dataloader = dict(dataset=dict(pipeline=[]))"),
    "pipeline of an unknown step": (
        "train", REFUSED,
        'train_dataloader = dict(dataset=dict(pipeline=[dict(type="Nothing")]))',
    ),
    "unknown class": (
        "train", REFUSED,
        'train_dataloader = dict(dataset=dict(metainfo=dict(classes=["disc", "cat"])))',
    ),
    "classes empty": (
        "train", REFUSED, "train_dataloader = dict(dataset=dict(metainfo=dict(classes=[])))",
    ),
    "more classes than the model": (
        "train", REFUSED, "model = dict(head=dict(num_classes=2))",
    ),
    "batch_size 0": ("train", REFUSED, "train_dataloader = dict(batch_size=0)"),
    "batch_size -1": ("train", REFUSED, "train_dataloader = dict(batch_size=-1)"),
    "batch_size text": ("train", REFUSED, 'train_dataloader = dict(batch_size="2")'),
    "num_workers -1": ("train", REFUSED, "train_dataloader = dict(num_workers=-1)"),
    "sampler of an unknown type": (
        "train", REFUSED, 'train_dataloader = dict(sampler=dict(type="Nothing"))',
    ),
    "max_iters 0": ("train", EITHER, "train_cfg = dict(max_iters=0)"),
    "max_iters -1": ("train", REFUSED, "train_cfg = dict(max_iters=-1)"),
    "max_iters text": ("train", REFUSED, 'train_cfg = dict(max_iters="1")'),
    "loop of an unknown type": ("train", REFUSED, 'train_cfg = dict(type="Nothing")'),
    "loop key misspelt": ("train", REFUSED, "train_cfg = dict(max_iter=1)"),
    "optimizer of an unknown type": (
        "train", REFUSED, 'optim_wrapper = dict(optimizer=dict(type="Nothing"))',
    ),
    "optimizer key misspelt": ("train", REFUSED, "optim_wrapper = dict(optimizer=dict(lrr=1))"),
    "learning rate -1": ("train", REFUSED, "optim_wrapper = dict(optimizer=dict(lr=-1))"),
    "learning rate text": ("train", REFUSED, 'optim_wrapper = dict(optimizer=dict(lr="1e-4"))'),
    "learning rate NaN": (
        "train", REFUSED, 'optim_wrapper = dict(optimizer=dict(lr=float("nan")))',
    ),
    "scheduler of an unknown type": ("train", REFUSED, 'param_scheduler = [dict(type="Nothing")]'),
    "scheduler text": ("train", REFUSED, 'param_scheduler = "text"'),
    "hook of an unknown type": ("train", REFUSED, 'custom_hooks = [dict(type="Nothing")]'),
    "hook key misspelt": (
        "train", REFUSED, "default_hooks = dict(checkpoint=dict(intervall=1))",
    ),
    "loss of an unknown type": (
        "train", REFUSED, 'model = dict(criterion=dict(matcher=dict(type="Nothing")))',
    ),
    "loss key misspelt": ("train", REFUSED, "model = dict(criterion=dict(los_mask=1))"),
    "criterion null": ("train", REFUSED, "model = dict(criterion=None)"),
    "seed text": ("train", REFUSED, 'randomness = dict(seed="text")'),
    "seed -1": ("train", REFUSED, "randomness = dict(seed=-1)"),
    "load_from missing": ("train", REFUSED, 'load_from = "missing.pth"'),
    "work_dir a number": ("train", EITHER, "work_dir = 5"),
    "default_scope unknown": ("train", EITHER, 'default_scope = "nothing"'),
    "log_level unknown": ("train", REFUSED, 'log_level = "LOUD"'),
    "frames of a clip 0": (
        "train", REFUSED,
        'train_dataloader = dict(dataset=dict(pipeline=[dict(type="mmttsrn.ClipSample",'
        " num_frames=0), {{_base_.train_transforms}}, {{_base_.pack_inputs}}]))",
    ),
    "no test_dataloader": ("test", REFUSED, "test_dataloader = None"),
    "no test_evaluator": ("test", REFUSED, "test_evaluator = None"),
    "no test_cfg": ("test", REFUSED, "test_cfg = None"),
    "metric of an unknown type": ("test", REFUSED, 'test_evaluator = dict(type="Nothing")'),
    "metric key misspelt": ("test", REFUSED, "test_evaluator = dict(class_wise=True)"),
    "metric text": ("test", REFUSED, 'test_evaluator = "text"'),
    "test ann_file missing": (
        "test", REFUSED, 'test_dataloader = dict(dataset=dict(ann_file="nothing.json"))',
    ),
    "test pipeline empty": ("test", REFUSED, "test_dataloader = dict(dataset=dict(pipeline=[]))"),
    "test batch_size 0": ("test", REFUSED, "test_dataloader = dict(batch_size=0)"),
    "post-processor key misspelt": (
        "test", REFUSED, "model = dict(post_processor=dict(max_pixel=5))",
    ),
    "post-processor of an unknown type": (
        "test", REFUSED, 'model = dict(post_processor=dict(type="Nothing"))',
    ),
    "linker key misspelt": ("test", REFUSED, "model = dict(clip_linker=dict(overlapp=5))"),
    "linker overlap -1": ("test", REFUSED, "model = dict(clip_linker=dict(overlap=-1))"),
    "linker overlap too long": ("test", REFUSED, "model = dict(clip_linker=dict(overlap=99))"),
}  # fmt: skip


def with_config(work: Workspace, path: Any) -> dict[str, Any]:
    """Arguments for another config."""
    if work.command == "inference":
        return {"model": path}
    if work.command == "publish":
        return {"extra": ["--config", path]}
    return {"config": path}


def text(content: str, is_addition: bool = False) -> Fault:
    """Config of a text, or the good one and a text after it."""

    def fault(work: Workspace) -> dict[str, Any]:
        path = work.inputs / "config.py"
        path.write_text(
            ((BASE if is_addition else "") + content).replace("{config}", str(work.good.config))
        )
        return with_config(work, path)

    return fault


def config_cases() -> Iterator[Case]:
    """Cases of broken configs."""
    for command in USERS:
        for name, (right, content) in FILE_FAULTS.items():
            yield Case(command, f"config: {name}", right, text(content))
        for name, place in PATH_FAULTS.items():
            yield Case(
                command,
                f"config: {name}",
                REFUSED,
                lambda work, place=place: with_config(work, place(work.inputs)),
            )
    for command in ("train", "test", "convert"):
        for name, (right, content) in MODEL_FAULTS.items():
            yield Case(command, f"config: {name}", right, text(content, is_addition=True))
    for command in ("inference", "publish", "demo"):
        for name in ("neck key misspelt", "unknown type of the model", "head null", "model text"):
            right, content = MODEL_FAULTS[name]
            yield Case(command, f"config: {name}", right, text(content, is_addition=True))
    for name, (command, right, content) in RUN_FAULTS.items():
        yield Case(command, f"config: {name}", right, text(content, is_addition=True))
