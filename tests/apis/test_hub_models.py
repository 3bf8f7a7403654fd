"""Models of the hub as a config and weights of ours."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hub_folders import CLASSES, PREPROCESSING, random_state, write_folder, write_model
from made_videos import grey_frames
from PIL import Image

from mmttsrn.apis import VISInferencer, init_model
from mmttsrn.apis.config_file import load_config
from mmttsrn.apis.hub_models import hub_config, use_hub_model
from mmttsrn.checkpoints.hub_folder import open_hub_folder
from mmttsrn.errors import UserInputError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("hub") / "tiny")


def test_folder_gives_its_model_and_classes(folder: Path) -> None:
    model = init_model(folder)
    assert not model.training
    assert model.dataset_meta["classes"] == list(CLASSES)
    for name, tensor in random_state(folder).items():
        torch.testing.assert_close(model.state_dict()[name], tensor, rtol=0, atol=0)
    assert model.head.num_instances == 7
    assert model.head.layer_levels == (0, 1, 2, 0)


def test_own_checkpoint_is_taken_in_place_of_the_weights(folder: Path, tmp_path: Path) -> None:
    bare = write_folder(tmp_path / "bare", None)
    state = random_state(bare)
    state["head.query_feat.weight"] = torch.full_like(state["head.query_feat.weight"], 3.0)
    torch.save({"state_dict": state}, tmp_path / "mine.pth")
    model = init_model(str(bare), tmp_path / "mine.pth")
    assert (model.head.query_feat.weight == 3).all()
    with pytest.raises(UserInputError, match=r"no model\.safetensors and no pytorch_model\.bin"):
        init_model(bare)


def test_frames_are_prepared_as_the_processor_says(folder: Path) -> None:
    """A frame of 48 x 64 pixels becomes one of 64 x 85, as by Pillow, and is padded to 64 x 96."""
    inferencer = VISInferencer(folder, device="cpu")
    image = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    frame, sizes = inferencer._prepare(image)
    assert sizes.unpadded == (64, 85)
    assert frame.shape == (3, 64, 96)
    resized = np.asarray(Image.fromarray(image).resize((85, 64), Image.Resampling.BILINEAR))
    mean, std = (np.array(PREPROCESSING[f"image_{kind}"]) for kind in ("mean", "std"))
    expected = ((resized / 255 - mean) / std).transpose(2, 0, 1)
    np.testing.assert_allclose(frame[:, :, :85].numpy(), expected, atol=1e-5)
    assert (frame[:, :, 85:] == 0).all()


def test_videos_are_predicted(folder: Path) -> None:
    results = list(VISInferencer(folder, device="cpu", score_thr=0.0)(grey_frames(3)))
    assert len(results) == 3


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (dict(size=dict(height=64, width=96)), dict(scale=(96, 64), keep_ratio=False)),
        (dict(resample=3), dict(interpolation="bicubic")),
    ],
)
def test_sizes_and_filters(tmp_path: Path, changes: dict, expected: dict) -> None:
    write_folder(tmp_path, None, preprocessing=PREPROCESSING | changes)
    step = hub_config(open_hub_folder(tmp_path)).test_dataloader.dataset.pipeline[0].transforms[-1]
    assert {key: step[key] for key in expected} == expected


def test_steps_that_are_turned_off_are_left_out(tmp_path: Path) -> None:
    off = dict.fromkeys(("do_resize", "do_rescale", "do_normalize"), False)
    write_folder(tmp_path, None, preprocessing=PREPROCESSING | off | dict(size_divisor=0))
    cfg = hub_config(open_hub_folder(tmp_path))
    (step,) = cfg.test_dataloader.dataset.pipeline[0].transforms
    assert step.type == "mmttsrn.LoadVideoFrame"
    preprocessor = cfg.model.data_preprocessor
    assert (preprocessor.mean, preprocessor.std) == ([0.0] * 3, [1.0] * 3)
    assert preprocessor.pad_size_divisor == 1


@pytest.mark.parametrize("name", ["video_preprocessor_config.json", "processor_config.json"])
def test_names_of_processors_today(tmp_path: Path, name: str) -> None:
    write_folder(tmp_path, None)
    (tmp_path / "preprocessor_config.json").unlink()
    content: dict[str, Any] = PREPROCESSING | dict(size=dict(height=64, width=96))
    if name.startswith("processor"):
        content = {"processor_class": "x", "video_processor": content}
    (tmp_path / name).write_text(json.dumps(content))
    assert open_hub_folder(tmp_path).preprocessing["size"] == dict(height=64, width=96)


BACKBONE = dict(embed_dim=16, depths=[1, 1, 2, 1], num_heads=[1, 2, 4, 8], window_size=4)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (dict(model_type="bert"), "model_type: expected one of mask2former"),
        (dict(model_type=["mask2former"]), "model_type: expected one of"),
        (dict(pre_norm=True), "pre_norm: expected False, got True"),
        (dict(activation_function="gelu"), "activation_function: expected relu, got gelu"),
        (dict(backbone_config=None), "backbone_config: "),
        (dict(backbone_config=BACKBONE), "backbone_config: model_type: expected swin, got None"),
        (
            dict(backbone_config=dict(BACKBONE, model_type="swin", layer_norm_eps=1e-3)),
            "backbone_config: layer_norm_eps: expected 1e-05, got 0.001",
        ),
        (dict(feature_size="x"), ""),
        (dict(id2label=None), "id2label: "),
        (dict(id2label={"0": "cat", "2": "dog"}), "id2label: expected the labels 0, 1, 2"),
    ],
)
def test_other_models_are_refused(tmp_path: Path, changes: dict, says: str) -> None:
    write_folder(tmp_path, None, **changes)
    with pytest.raises(UserInputError) as error:
        init_model(tmp_path)
    assert str(error.value).startswith(f"{tmp_path}/config.json: {says}")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (dict(do_center_crop=True), "do_center_crop: not supported"),
        (dict(pad_size=dict(height=64, width=64)), "pad_size: not supported"),
        (dict(size=dict(shortest_edge=64)), "size: expected height and width, or shortest_edge"),
        (dict(size=64), "size: expected height and width, or shortest_edge"),
        (dict(resample=4), "resample: expected one of [0, 1, 2, 3], got 4"),
        (dict(image_mean=0.5), "image_mean: "),
        (dict(image_std=[0.2, 0.2]), "image_std: expected three numbers, got [0.2, 0.2]"),
        (dict(image_std=[0.2, 0.2, float("nan")]), "image_std: expected three numbers"),
        (dict(rescale_factor=0), "rescale_factor: "),
    ],
)
def test_other_preprocessing_is_refused(tmp_path: Path, changes: dict, says: str) -> None:
    write_folder(tmp_path, None, preprocessing=PREPROCESSING | changes)
    with pytest.raises(UserInputError) as error:
        init_model(tmp_path)
    assert str(error.value).startswith(f"{tmp_path}/preprocessor_config.json: {says}")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (dict(decoder_layers=4), "does not fit config.json: the model has no such parameter"),
        (dict(decoder_layers=6), "a checkpoint of another model: 18 missing in it"),
        (dict(num_queries=8), "does not fit config.json: of another shape: (7, 32)"),
        (dict(classes=("cat", "dog")), "does not fit config.json: other classes: 3 in the"),
    ],
)
def test_weights_of_another_model_are_refused(folder: Path, tmp_path, changes, says) -> None:
    write_folder(tmp_path, None, **changes)
    (tmp_path / "pytorch_model.bin").symlink_to(folder / "pytorch_model.bin")
    with pytest.raises(UserInputError) as error:
        init_model(tmp_path)
    assert says in str(error.value)


def test_all_sequences_are_results_but_in_the_published_evaluation(folder: Path) -> None:
    hub = open_hub_folder(folder)
    assert hub_config(hub).model.post_processor.top_k is None
    assert hub_config(hub).model.head.num_frames == 8
    tested = load_config("ttsrn_ytvis19")
    use_hub_model(tested, hub)
    assert tested.model.post_processor.top_k == 10
    assert tested.model.post_processor.null_frame_score == 0
    assert tested.model.head.num_frames == 36
