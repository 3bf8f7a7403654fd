"""Predictions of a test run in a pickle file."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mmengine.evaluator import DumpResults
from mmengine.fileio import dump
from mmengine.logging import print_log

from mmttsrn.formats.output_files import replace_file
from mmttsrn.structures import video_results


class DumpTrackResults(DumpResults):
    """Writes the predictions of all videos to a pickle file, masks as compressed RLE.

    The file holds a list with one dict per video: the fields of
    :class:`~mmttsrn.structures.SequenceResults` as plain data and CPU tensors, boxes included.

    Args:
        out_file_path: Path that ends with ``.pkl`` or ``.pickle``.
        collect_device: Device for gathering the results of all processes.
        collect_dir: Folder for gathering them on the CPU.
    """

    default_prefix = "dump"  # it computes no figures; without a prefix MMEngine warns

    def process(self, data_batch: Any, predictions: Sequence[dict]) -> None:
        """Keep the predictions of a batch, one sample per video."""
        self.results += map(asdict, video_results(predictions))

    def compute_metrics(self, results: list) -> dict:
        """Write the file, whole or not at all."""
        replace_file(Path(self.out_file_path), lambda partial: dump(results, partial))
        print_log(f"predictions are written to {self.out_file_path}", logger="current")
        return {}
