"""MMTracking's metric of video instance segmentation, mended."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from mmtrack.evaluation import YouTubeVISMetric
from mmtrack.registry import METRICS as MMTRACK_METRICS

from mmttsrn.errors import UserInputError, input_errors
from mmttsrn.evaluation.ytvis import evaluate
from mmttsrn.formats.ground_truth import read_ground_truth
from mmttsrn.formats.results import read_results
from mmttsrn.registry import METRICS

# MMTracking's names of the numbers, where they differ.
NAMES = {f"AR_{size}@100": f"AR_{size}" for size in "sml"}
DEFAULT_ITEMS = ("mAP", "mAP_50", "mAP_75", "mAP_s", "mAP_m", "mAP_l")


@MMTRACK_METRICS.register_module()
@METRICS.register_module()
class MMTrackYouTubeVISMetric(YouTubeVISMetric):
    """MMTracking's ``YouTubeVISMetric`` for any of its models, as ``mmttsrn.`` in a config.

    Differs from its base: it can be used more than once in a run, a model that predicts nothing has
    an AP of 0, numbers are computed by the evaluation of this package (the base's needs a NumPy
    that has ``np.float``) in full precision, and classes may be named ``classes``.

    It takes each frame's ``pred_track_instances``, and ground truth from its meta data
    ``instances``. For models of mmttsrn, take
    :class:`~mmttsrn.evaluation.metrics.YouTubeVISMetric`.

    Args:
        **kwargs: Arguments of the base class.
    """

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep what is predicted and true in each frame of a batch."""
        if any("pred_track_instances" not in sample for sample in data_samples):
            advice = "set model.frame_results=True, or evaluate by mmttsrn.YouTubeVISMetric"
            raise UserInputError(f"the samples have no pred_track_instances; {advice}")
        super().process(data_batch, data_samples)

    def evaluate(self, size: int) -> dict[str, float]:
        """Evaluate the results of all ranks, and forget them."""
        try:
            return super().evaluate(size)
        finally:
            self._vis_meta_info: dict[str, list] = defaultdict(list)

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Compute the numbers that ``metric_items`` names; runs on the main process only."""
        entries = self.format_preds([predicted for predicted, _ in results])
        if self.format_only:
            self.save_pred_results(entries)
            return {}
        truth = read_ground_truth(self.format_gts([true for _, true in results]))
        stats = evaluate(truth, read_results(entries, truth)).stats
        items = self.metric_items or DEFAULT_ITEMS
        with input_errors("metric_items"):
            return {f"segm_{item}": stats[NAMES.get(item, item)] for item in items}

    def format_gts(self, gts: Sequence[list]) -> dict[str, Any]:
        """Return the ground truth of all videos in YouTube-VIS format."""
        classes = self.dataset_meta.get("classes") or self.dataset_meta["CLASSES"]
        # Boxes are of no use to mask AP, and those of a file may be anything.
        annotations = [
            {key: value for key, value in annotation.items() if key != "bboxes"}
            for video in gts
            for annotation in video
        ]
        return {
            "categories": [{"id": i + 1, "name": name} for i, name in enumerate(classes)],
            "videos": self._vis_meta_info["videos"],
            "annotations": annotations,
        }

    def _format_one_video_gts(self, gt_dicts: Sequence[dict]) -> list[dict]:
        annotations = super()._format_one_video_gts(gt_dicts)
        video = self._vis_meta_info["videos"][-1]
        # Files of the frames are not known here, and not needed.
        del video["file_name"]
        video["length"] = gt_dicts[0]["video_length"]
        return annotations
