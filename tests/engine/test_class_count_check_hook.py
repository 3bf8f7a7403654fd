"""The check that a model predicts the classes of its data."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.model import MMDistributedDataParallel
from torch import nn

from mmttsrn.engine.hooks import ClassCountCheckHook
from mmttsrn.errors import UserInputError

STAGES = ("before_train", "before_val", "before_test")


class Model(nn.Module):
    def __init__(self, num_classes: int, name: str = "head") -> None:
        super().__init__()
        self.backbone = nn.Linear(1, 1)
        head = nn.Linear(1, num_classes)
        head.num_classes = num_classes
        self.add_module(name, head)


def runner(model: nn.Module, stage: str, classes: tuple[str, ...] | None) -> SimpleNamespace:
    metainfo = {"classes": classes, "ann_file": "train.json"} if classes is not None else {}
    loader = SimpleNamespace(dataset=SimpleNamespace(metainfo=metainfo))
    return SimpleNamespace(model=model, **{f"{stage.removeprefix('before_')}_dataloader": loader})


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("num_classes", [1, 3])
@pytest.mark.parametrize("name", ["head", "track_head"])
def test_more_and_fewer_classes_are_refused(stage: str, num_classes: int, name: str) -> None:
    model = Model(num_classes, name)
    with pytest.raises(UserInputError) as error:
        getattr(ClassCountCheckHook(), stage)(runner(model, stage, ("cat", "dog")))
    key = f"model.{name}.num_classes"
    assert str(error.value) == f"{key}={num_classes}: set it to 2, as train.json has"


@pytest.mark.parametrize("classes", [("cat", "dog"), None])
@pytest.mark.parametrize("stage", STAGES)
def test_as_many_classes_or_data_without_them_pass(stage: str, classes) -> None:
    getattr(ClassCountCheckHook(), stage)(runner(Model(2), stage, classes))


def test_wrapped_model(tmp_path) -> None:
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{tmp_path / 'group'}", rank=0, world_size=1
    )
    try:
        model = MMDistributedDataParallel(Model(3))
        with pytest.raises(UserInputError, match="num_classes=3"):
            ClassCountCheckHook().before_train(runner(model, "before_train", ("cat",)))
    finally:
        torch.distributed.destroy_process_group()


def begin_test(
    checkpoint: dict, classes: tuple[str, ...], trains: bool = False, **settings
) -> None:
    """Load a checkpoint and begin to test it on some classes."""
    allow = settings.pop("allow_class_mismatch", False)
    hook, run = ClassCountCheckHook(allow), runner(Model(len(classes)), "before_test", classes)
    run.test_dataloader.dataset.metainfo.update(settings)
    run.train_dataloader = run.test_dataloader
    hook.after_load_checkpoint(run, checkpoint)
    if trains:
        hook.before_train(run)
    hook.before_test(run)


def trained_on(classes: object) -> dict:
    return {"meta": {"dataset_meta": {"classes": classes}}}


@pytest.mark.parametrize(
    "checkpoint",
    [{}, {"meta": None}, trained_on(None), trained_on("cat"), trained_on(("cat", "dog"))],
)
def test_checkpoints_of_the_same_or_unknown_classes_pass(checkpoint: dict) -> None:
    begin_test(checkpoint, ("cat", "dog"))


@pytest.mark.parametrize("trained", [["dog", "cat"], ["cat", "cow"], ["cat"], ["object"]])
def test_other_classes_are_refused_unless_they_are_allowed(trained: list) -> None:
    with pytest.raises(UserInputError) as error:
        begin_test(trained_on(trained), ("cat", "dog"))
    assert str(error.value) == (
        f"train.json: expected the classes of the checkpoint, {trained}, got ['cat', 'dog']; if "
        "only names differ, use --allow-class-mismatch"
    )
    begin_test(trained_on(trained), ("cat", "dog"), allow_class_mismatch=True)


def test_names_do_not_matter_where_all_classes_are_one_or_are_learnt() -> None:
    begin_test(trained_on(["cat", "dog"]), ("object",), class_agnostic=True)
    begin_test(trained_on(["cow", "pig"]), ("cat", "dog"), trains=True)
