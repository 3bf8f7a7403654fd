"""Predictions in a pickle file."""

import errno
import pickle

import numpy as np
import pytest
from mmengine.evaluator import Evaluator
from pycocotools import mask as mask_utils
from sequence_results import results_of

from mmttsrn.evaluation.metrics import DumpTrackResults, dump_track_results


def test_file_has_every_video_with_encoded_masks(tmp_path):
    masks = np.random.default_rng(0).random((3, 2, 6, 8)) > 0.5
    evaluator = Evaluator(DumpTrackResults(str(tmp_path / "out.pkl")))
    videos = [
        results_of(masks, [2, 0, 1], [0.5] * 3, video_id=7),
        results_of(masks[:0], [], [], video_id=9),
    ]
    evaluator.process([{"pred_sequences": video} for video in videos])
    assert evaluator.evaluate(size=2) == {}

    with (tmp_path / "out.pkl").open("rb") as file:
        dumped = pickle.load(file)
    assert [video["video_id"] for video in dumped] == [7, 9]
    first = dumped[0]
    assert first["labels"].tolist() == [2, 0, 1]
    assert first["boxes"].shape == (3, 2, 4)
    rle = {"size": first["size"], "counts": first["counts"][2][1]}
    assert np.array_equal(mask_utils.decode(rle), masks[2, 1])
    assert dumped[1]["counts"] == []


def test_file_has_to_be_a_pickle():
    with pytest.raises(ValueError, match="pkl"):
        DumpTrackResults("out.json")


def test_a_file_that_cannot_be_written_whole_is_not_there(tmp_path, monkeypatch):
    def write_a_part(content, path):
        path.write_bytes(b"part")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(dump_track_results, "dump", write_a_part)
    evaluator = Evaluator(DumpTrackResults(str(tmp_path / "out.pkl")))
    masks = np.ones((1, 2, 6, 8), bool)
    evaluator.process([{"pred_sequences": results_of(masks, [0], [0.5], video_id=7)}])
    with pytest.raises(OSError, match="No space left"):
        evaluator.evaluate(size=1)
    assert not list(tmp_path.iterdir())
