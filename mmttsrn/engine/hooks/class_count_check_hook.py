"""Check that the model predicts the classes of the data."""

from collections.abc import Mapping
from typing import Any

from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner

from mmttsrn.checkpoints.state import bare_model
from mmttsrn.datasets.youtube_vis import YouTubeVISVideos
from mmttsrn.errors import UserInputError
from mmttsrn.registry import HOOKS

ALLOW_FLAG = "--allow-class-mismatch"


@HOOKS.register_module()
class ClassCountCheckHook(Hook):
    """Stops a run whose model does not predict the classes of its data set, before it starts.

    Its head, a direct child of the model with ``num_classes``, has to have as many. In a test the
    checkpoint, if it names the classes that it was trained on, has to name the same ones, unless
    the data set is class-agnostic; :class:`~mmttsrn.datasets.YouTubeVISVideos` takes its order.

    Args:
        allow_class_mismatch: Do not compare the names.
    """

    def __init__(self, allow_class_mismatch: bool = False) -> None:
        self.allow_class_mismatch = allow_class_mismatch
        self.trained_classes: list[str] = []

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Keep the names of the classes that the checkpoint was trained on."""
        names: Any = checkpoint
        for key in ("meta", "dataset_meta", "classes"):
            names = names.get(key) if isinstance(names, Mapping) else None
        self.trained_classes = list(map(str, names)) if isinstance(names, (list, tuple)) else []

    def before_train(self, runner: Runner) -> None:
        """Check the training set, whose classes the model learns."""
        self.trained_classes = []
        _check_count(runner, runner.train_dataloader.dataset)

    def before_val(self, runner: Runner) -> None:
        """Check the validation set."""
        _check_count(runner, runner.val_dataloader.dataset)

    def before_test(self, runner: Runner) -> None:
        """Check the test set, and the names of its classes."""
        dataset = runner.test_dataloader.dataset
        _check_count(runner, dataset)
        metainfo = getattr(dataset, "metainfo", {})
        trained, classes = self.trained_classes, list(metainfo.get("classes") or ())
        if self.allow_class_mismatch or metainfo.get("class_agnostic") or not (trained and classes):
            return
        if sorted(trained) == sorted(classes) and isinstance(dataset, YouTubeVISVideos):
            if trained != classes:
                dataset.use_classes(trained)
                for user in (runner.test_evaluator, runner.visualizer):
                    user.dataset_meta = dataset.metainfo
                print_log("classes are those of the checkpoint, in its order", logger="current")
        elif trained != classes:
            what = f"{metainfo.get('ann_file')}: expected the classes of the checkpoint, {trained}"
            raise UserInputError(f"{what}, got {classes}; if only names differ, use {ALLOW_FLAG}")


def _check_count(runner: Runner, dataset: object) -> None:
    metainfo = getattr(dataset, "metainfo", {})
    count = len(metainfo.get("classes") or ())
    # A model of MMDetection names its head after what it does, such as track_head.
    for name, head in bare_model(runner.model).named_children():
        found = getattr(head, "num_classes", count)
        if count and found != count:
            advice = f"set it to {count}, as {metainfo.get('ann_file')} has"
            raise UserInputError(f"model.{name}.num_classes={found}: {advice}")
