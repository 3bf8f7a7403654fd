"""Metric that writes YouTube-VIS results and evaluates them where ground truth exists."""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger

from mmttsrn.errors import UserInputError
from mmttsrn.evaluation.analysis.report import text_table
from mmttsrn.evaluation.class_agnostic import merge_classes, merge_result_classes
from mmttsrn.evaluation.result import Evaluation
from mmttsrn.evaluation.ytvis import evaluate
from mmttsrn.formats.ground_truth import GroundTruth, read_ground_truth
from mmttsrn.formats.results import read_results, write_results
from mmttsrn.registry import METRICS
from mmttsrn.structures import SequenceResults, video_results


@METRICS.register_module()
class YouTubeVISMetric(BaseMetric):
    """Writes ``results.json`` and the submission ``results.zip``, and computes AP.

    One sample is one whole video, with its :class:`~mmttsrn.structures.SequenceResults` as
    ``pred_sequences``, whatever the host.

    Ground truth is read from the dataset's own json (found through ``dataset_meta``), so areas,
    crowd flags and categories are the file's. A split without ground truth gives no AP, only the
    two files.

    The predictions of a dataset with ``class_agnostic=True`` get the lowest category id of its
    file in the results, and are evaluated with all classes of the ground truth taken as one.

    Args:
        outfile_prefix: Path of the files without extension. None means ``results`` in the work
            directory of the running Runner, and no files when there is no Runner.
        classwise: Whether to log AP per class.
        class_agnostic: Whether to evaluate a second time with all classes taken as one, for a
            model that distinguishes several classes.
        backend_args: Arguments of the mmengine file backend that reads the json.
        **kwargs: Arguments of :class:`mmengine.evaluator.BaseMetric` (``collect_device``,
            ``prefix``, ``youtube_vis`` by default, ``collect_dir``).

    Returns (of ``evaluate``):
        ``youtube_vis/`` + each of the twelve official numbers (``mAP``, ``mAP_50``, ...,
        ``AR@100``, ...) in full precision, -1 where the ground truth has no such object; empty when
        there is no ground truth. With ``class_agnostic`` the same as
        ``youtube_vis/class_agnostic_mAP``, ..., too.
    """

    default_prefix = "youtube_vis"

    def __init__(
        self,
        outfile_prefix: str | None = None,
        classwise: bool = False,
        class_agnostic: bool = False,
        backend_args: dict | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.outfile_prefix = outfile_prefix
        self.classwise = classwise
        self.class_agnostic = class_agnostic
        self.backend_args = backend_args

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep the results of each video of the batch.

        Raises:
            UserInputError: They are those of a part of a video, or have no masks.
        """
        for results in video_results(data_samples):
            if results.num_frames != (results.video_length or results.num_frames):
                part = f"{results.num_frames} of {results.video_length} frames"
                raise UserInputError(
                    f"video {results.video_id}: the sample has {part}; test whole videos, not clips"
                )
            if results.counts is None:
                raise UserInputError(
                    f"video {results.video_id}: the model predicts boxes only, and mask AP needs"
                    " masks; write the boxes by --out with test_evaluator=[]"
                )
            self.results.append(results)

    def evaluate(self, size: int) -> dict[str, float]:
        """Evaluate the results of all ranks.

        Args:
            size: Number of videos. Not used: MMEngine cuts the results off after that many, but a
                sampler may have repeated videos anywhere, and repeated ones are dropped by id.
        """
        return super().evaluate(sys.maxsize)

    def compute_metrics(self, results: list[SequenceResults]) -> dict[str, float]:
        """Write the files and, with ground truth, evaluate; runs on the main process only."""
        meta = self.dataset_meta or {}
        # A distributed sampler may repeat videos to give every rank as many.
        videos = {video.video_id: video for video in results}
        entries = [
            entry
            for _, video in sorted(videos.items())
            for entry in video.to_ytvis(meta["cat_ids"])
        ]
        logger = MMLogger.get_current_instance()
        prefix = self._result_prefix(logger)
        if prefix is not None:
            write_results(entries, prefix)
            logger.info(
                f"{len(entries)} instance sequences of {len(videos)} videos written to"
                f" {prefix}.json; {prefix}.zip is the file to submit"
            )
        if not meta["has_ground_truth"]:
            logger.info(f"{meta['ann_file']} has no ground truth, so there is no AP")
            return {}
        truth = self._read_ground_truth(meta, set(videos), logger)
        found = read_results(entries, truth)
        evaluation = evaluate(truth, found)
        self._log_tables(evaluation, logger)
        stats = dict(evaluation.stats)
        if self.class_agnostic:
            merged = evaluate(merge_classes(truth), merge_result_classes(found, truth)).stats
            logger.info(_table("mask AP, all classes as one", merged.items()))
            stats |= {f"class_agnostic_{name}": value for name, value in merged.items()}
        return stats

    def _result_prefix(self, logger: MMLogger) -> Path | None:
        if self.outfile_prefix is not None:
            return Path(self.outfile_prefix)
        # A Runner logs to <work_dir>/<timestamp>/<timestamp>.log.
        return Path(logger.log_file).parents[1] / "results" if logger.log_file else None

    def _read_ground_truth(
        self, meta: dict[str, Any], video_ids: set, logger: MMLogger
    ) -> GroundTruth:
        """Read the ground truth of the evaluated videos and classes."""
        truth = read_ground_truth(meta["ann_file"], backend_args=self.backend_args)
        is_merged = meta.get("class_agnostic", False)
        category_ids = truth.categories if is_merged else meta["cat_ids"]
        evaluated = truth.restricted(video_ids, set(category_ids))
        if len(evaluated.videos) < len(truth.videos):
            logger.info(
                f"evaluating {len(evaluated.videos)} of {len(truth.videos)} videos of the file"
            )
        return merge_classes(evaluated) if is_merged else evaluated

    def _log_tables(self, evaluation: Evaluation, logger: MMLogger) -> None:
        logger.info(_table("mask AP", evaluation.stats.items()))
        if self.classwise:
            names, stats = evaluation.truth.categories, evaluation.category_stats()
            values = [
                (names[category_id], numbers["mAP"]) for category_id, numbers in stats.items()
            ]
            logger.info(_table("mask AP per class", values))


def _table(title: str, values: Iterable[tuple[str, float]]) -> str:
    """Name and value per line; -1 stands for "no such object in the ground truth"."""
    rows = [(name, "n/a" if value < 0 else f"{value:.3f}") for name, value in values]
    return text_table(title, None, rows, align="<<")
