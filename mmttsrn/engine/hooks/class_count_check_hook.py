"""Check that the model predicts the classes of the data."""

from collections.abc import Mapping
from itertools import zip_longest
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

    Its head has to have as many; a head is a part of the model, a direct child, with
    ``num_classes``. In a test the checkpoint, if it names the classes that it was trained on, has
    to name the same ones, unless the data set is class-agnostic. Where it has them in another
    order, :class:`~mmttsrn.datasets.YouTubeVISVideos` takes that.

    Args:
        allow_class_mismatch: Do not compare the names.
    """

    def __init__(self, allow_class_mismatch: bool = False) -> None:
        self.allow_class_mismatch = allow_class_mismatch
        self.trained_classes: list[str] = []

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Keep the names of the classes that the checkpoint was trained on."""
        meta = checkpoint.get("meta")
        data = meta.get("dataset_meta") if isinstance(meta, Mapping) else None
        names = data.get("classes") if isinstance(data, Mapping) else None
        self.trained_classes = list(map(str, names)) if isinstance(names, (list, tuple)) else []

    def before_train(self, runner: Runner) -> None:
        """Check the training set, whose classes the model learns."""
        self.trained_classes = []
        self._check(runner, runner.train_dataloader.dataset)

    def before_val(self, runner: Runner) -> None:
        """Check the validation set."""
        self._check(runner, runner.val_dataloader.dataset)

    def before_test(self, runner: Runner) -> None:
        """Check the test set, and the names of its classes."""
        dataset = runner.test_dataloader.dataset
        self._check(runner, dataset)
        metainfo = getattr(dataset, "metainfo", {})
        trained, classes = self.trained_classes, list(metainfo.get("classes") or ())
        if self.allow_class_mismatch or metainfo.get("class_agnostic") or not (trained and classes):
            return
        if trained == classes:
            return
        if sorted(trained) == sorted(classes) and isinstance(dataset, YouTubeVISVideos):
            dataset.use_classes(trained)
            for user in (runner.test_evaluator, runner.visualizer):
                user.dataset_meta = dataset.metainfo
            print_log("classes are those of the checkpoint, in its order", logger="current")
        else:
            raise UserInputError(_mismatch(trained, classes, metainfo.get("ann_file", "the data")))

    def _check(self, runner: Runner, dataset: object) -> None:
        metainfo = getattr(dataset, "metainfo", {})
        classes = metainfo.get("classes")
        # A model of MMDetection names its head after what it does, such as track_head.
        for name, head in bare_model(runner.model).named_children():
            predicted = getattr(head, "num_classes", None)
            if classes is None or predicted in (None, len(classes)):
                continue
            key = f"model.{name}.num_classes"
            raise UserInputError(
                f"{key}={predicted}, but {metainfo.get('ann_file', 'the data')} "
                f"has {len(classes)} classes ({', '.join(classes[:4])}"
                f"{', ...' if len(classes) > 4 else ''}); set {key}={len(classes)}"
            )


def _mismatch(trained: list[str], classes: list[str], data: str) -> str:
    """Say how the classes of the checkpoint differ from those of the data."""
    pairs = enumerate(zip_longest(trained, classes))
    label, names = next((label, names) for label, names in pairs if names[0] != names[1])
    difference = f"label {label} is {names[0]!r} in the checkpoint and {names[1]!r} in {data}"
    if sorted(trained) == sorted(classes):
        return (
            f"classes in another order than in training: {difference}; set"
            f" test_dataloader.dataset.metainfo=dict(classes={trained})"
        )
    return (
        f"other classes than in training: {difference}; test on data of the same classes, or with"
        f" {ALLOW_FLAG} if only names differ"
    )
