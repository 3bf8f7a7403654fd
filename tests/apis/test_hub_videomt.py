"""VidEoMT from a folder as the hub has it, against the model that Transformers has saved there."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from made_videos import grey_frames, write_video
from PIL import Image
from tiny_videomt import PREPROCESSING, SIZE, write_hub_folder

from mmttsrn.apis import VISInferencer, init_model, video_files
from mmttsrn.apis.video_files import predict_to_files, result_paths
from mmttsrn.errors import UserInputError
from mmttsrn.formats.videos import FrameSource
from mmttsrn.structures import FrameResults

CLASSES = ("cat", "dog", "bird")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_hub_folder(tmp_path_factory.mktemp("hub") / "videomt", CLASSES)


@torch.no_grad()
def test_a_video_is_what_transformers_makes_of_it(folder: Path) -> None:
    """From pixels to logits: as the processor prepares them, and as the host predicts them."""
    from transformers import VideomtForUniversalSegmentation

    frames = np.random.default_rng(0).integers(0, 256, (5, 36, 48, 3), dtype=np.uint8)
    resized = [
        np.asarray(Image.fromarray(frame).resize((SIZE, SIZE), Image.Resampling.BILINEAR))
        for frame in frames
    ]
    pixels = (torch.from_numpy(np.stack(resized)) / 255 - torch.tensor([0.485, 0.456, 0.406])) / (
        torch.tensor([0.229, 0.224, 0.225])
    )
    host = VideomtForUniversalSegmentation.from_pretrained(folder).eval()
    expected = host(pixel_values_videos=pixels.permute(0, 3, 1, 2)[None])
    inferencer = VISInferencer(folder, device="cpu", score_thr=0.0)
    assert inferencer.classes == list(CLASSES)
    clips = []
    core = inferencer.model.core
    predict = core.predict_clip
    core.predict_clip = lambda *args: clips.append(predict(*args)) or clips[-1]
    results = list(inferencer(frames))
    logits = torch.cat([clip.logits.transpose(0, 1) for clip in clips])
    masks = torch.cat([clip.mask_logits.transpose(0, 1) for clip in clips])
    torch.testing.assert_close(logits, expected.class_queries_logits, atol=1e-5, rtol=0)
    torch.testing.assert_close(masks, expected.masks_queries_logits, atol=1e-5, rtol=0)
    assert [frame.index for frame in results] == [*range(5)]
    assert {*results[0].names} <= {*CLASSES}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (dict(image_size=[64, 64]), "image_size: expected int, got [64, 64]"),
        (dict(hidden_act="relu"), "hidden_act: expected gelu, got 'relu'"),
        (dict(num_hidden_layers="x"), "num_hidden_layers: expected int, got 'x'"),
        (dict(id2label={"0": "cat", "2": "dog"}), "id2label: expected the labels 0, 1, 2"),
    ],
)
def test_other_models_are_refused(folder: Path, tmp_path: Path, changes: dict, says: str) -> None:
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = json.loads((folder / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | changes))
    with pytest.raises(UserInputError) as error:
        init_model(tmp_path)
    assert str(error.value).startswith(f"{tmp_path}/config.json: {says}")


def test_weights_of_another_model_are_refused(folder: Path, tmp_path: Path) -> None:
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = json.loads((folder / "config.json").read_text())
    for changes, says in (
        (dict(num_hidden_layers=6), "a backbone with"),
        (dict(id2label={str(i): f"class {i}" for i in range(7)}), "other classes"),
        (dict(num_queries=3), "query.weight does not fit config.json: of another shape"),
    ):
        (tmp_path / "config.json").write_text(json.dumps(config | changes))
        with pytest.raises(UserInputError, match=says):
            init_model(tmp_path)


def test_frames_of_another_size_than_the_positions_are_refused(
    folder: Path, tmp_path: Path
) -> None:
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    other = json.dumps(PREPROCESSING | dict(size=dict(height=SIZE, width=96)))
    (tmp_path / "video_preprocessor_config.json").write_text(other)
    with pytest.raises(UserInputError, match="image_size=64: expected square frames"):
        list(VISInferencer(tmp_path, device="cpu")(grey_frames(2)))


def test_a_run_that_was_interrupted_goes_on_to_the_same_bytes(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video_files, "SAVE_SECONDS", 0.0)
    source = write_video(tmp_path / "video.mp4", grey_frames(12))
    inferencer = VISInferencer(folder, device="cpu", score_thr=0.0)
    seen: list[int] = []

    def stop(results: FrameResults, source: FrameSource) -> None:
        if results.index == 7:
            raise KeyboardInterrupt

    paths = result_paths(tmp_path / "out", ["json", "csv"])
    with pytest.raises(KeyboardInterrupt):
        predict_to_files(inferencer, str(source), paths, on_frame=stop)
    for stem, resume in (("out", True), ("whole", False)):
        predict_to_files(
            inferencer,
            str(source),
            result_paths(tmp_path / stem, ["json", "csv"]),
            on_frame=lambda results, source: seen.append(results.index),
            resume=resume,
        )
    assert 0 < seen[0] <= 7, "it went on"
    for kind in ("json", "csv"):
        one, other = (tmp_path / f"{stem}.{kind}" for stem in ("out", "whole"))
        assert one.read_text() == other.read_text()
