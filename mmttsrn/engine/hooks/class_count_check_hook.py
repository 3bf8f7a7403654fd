"""Check that the model predicts the classes of the data."""

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmttsrn.checkpoints.state import bare_model
from mmttsrn.errors import UserInputError
from mmttsrn.registry import HOOKS


@HOOKS.register_module()
class ClassCountCheckHook(Hook):
    """Stops a run whose head does not have as many classes as its data set, before it starts.

    A head is a part of the model, a direct child, with ``num_classes``.
    """

    def before_train(self, runner: Runner) -> None:
        """Check the training set."""
        self._check(runner, runner.train_dataloader.dataset)

    def before_val(self, runner: Runner) -> None:
        """Check the validation set."""
        self._check(runner, runner.val_dataloader.dataset)

    def before_test(self, runner: Runner) -> None:
        """Check the test set."""
        self._check(runner, runner.test_dataloader.dataset)

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
