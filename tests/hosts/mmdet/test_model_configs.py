"""The full-size models that the configs describe."""

import re
from dataclasses import replace

import pytest
import torch
from mmengine.registry import MODELS, init_default_scope
from ttsrn_batches import TWO, batch_of, losses_of, predict

from mmttsrn.apis.config_file import load_config

# Parameters of backbone and whole model.
CONFIGS = {
    "ttsrn_ytvis19": (23_546_752, 56_231_168),
    "ttsrn_twins-svt-b_ytvis19": (55_300_416, 88_115_392),
    "ttsrn_twins-svt-l_ytvis19": (98_244_352, 131_189_888),
    "vistr_r50_ytvis19": (23_508_032, 57_168_864),
    "vistr_r101_ytvis19": (42_500_160, 76_160_992),
}


@pytest.mark.parametrize("name", CONFIGS)
@torch.no_grad()
def test_model_has_its_size_and_runs(name: str) -> None:
    config = load_config(name)
    config.model.mask_head.deform_backend = "grid_sample"
    init_default_scope(config.default_scope)
    model = MODELS.build(config.model).eval()
    backbone, whole = (sum(p.numel() for p in m.parameters()) for m in (model.backbone, model))
    assert (backbone, whole) == CONFIGS[name]
    logits, boxes, masks = model(torch.rand(1, 2, 3, 64, 96), mode="tensor")
    assert logits.shape == (1, 2, 10, 41)
    assert boxes.shape == (1, 2, 10, 4)
    assert masks.shape == (1, 10, 2, 16, 24)


@pytest.mark.parametrize("name", CONFIGS)
def test_backbone_starts_from_a_public_source(name: str) -> None:
    init_cfg = load_config(name).model.backbone.init_cfg
    assert init_cfg.type == "mmttsrn.PretrainedWeights"
    assert init_cfg.url.startswith("https://")
    arch = {"ttsrn_ytvis19": "small", "vistr_r50_ytvis19": "resnet50"}.get(name)
    assert arch is None or arch in init_cfg.url


def test_vistr_freezes_what_the_reference_freezes() -> None:
    config = load_config("vistr_r50_ytvis19")
    init_default_scope(config.default_scope)
    backbone = MODELS.build(config.model.backbone)
    for name, parameter in backbone.named_parameters():
        norm = ".bn" in name or "downsample.1." in name
        trained = name.startswith(("layer2.", "layer3.", "layer4.")) and not norm
        assert parameter.requires_grad == trained, name


def test_vistr_pads_nothing() -> None:
    """Its ResNet takes frames of any size, and padding would change what it computes."""
    assert load_config("vistr_r50_ytvis19").model.data_preprocessor.pad_size_divisor == 1


# Parameters of backbone and whole model, and queries.
QUERY_CONFIGS = {
    "mask2former_r50_ytvis19": (23_508_032, 44_013_097, 100),
    "mask2former_r101_ytvis19": (42_500_160, 63_005_225, 100),
    "mask2former_r50_ytvis21": (23_508_032, 44_013_097, 100),
    "mask2former_r101_ytvis21": (42_500_160, 63_005_225, 100),
    "mask2former_swin-t_ytvis19": (27_520_698, 47_411_363, 100),
    "mask2former_swin-t_ytvis21": (27_520_698, 47_411_363, 100),
    "mask2former_swin-s_ytvis19": (48_838_602, 68_729_267, 100),
    "mask2former_swin-s_ytvis21": (48_838_602, 68_729_267, 100),
    "mask2former_swin-b_ytvis19": (86_880_376, 106_893_921, 100),
    "mask2former_swin-b_ytvis21": (86_880_376, 106_893_921, 100),
    "mask2former_swin-l_ytvis19": (195_201_204, 215_511_709, 200),
    "mask2former_swin-l_ytvis21": (195_201_204, 215_511_709, 200),
    "ttsrn-m2f_twins-svt-s_ytvis19": (23_546_752, 56_713_705, 100),
    "ttsrn-m2f_twins-svt-b_ytvis19": (55_300_416, 88_623_017, 100),
}


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow if "swin" in n else ()) for n in QUERY_CONFIGS]
)
def test_model_of_instance_queries_trains_and_predicts(name: str) -> None:
    config = load_config(name)
    init_default_scope(config.default_scope)
    model = MODELS.build(config.model)
    backbone, whole = (sum(p.numel() for p in m.parameters()) for m in (model.backbone, model))
    queries = model.head.num_instances
    assert (backbone, whole, queries) == QUERY_CONFIGS[name]
    losses = losses_of(model.train(), batch_of((TWO, (64, 96)), num_frames=2))
    layers = len(model.head.layer_levels) + 1
    assert len(losses) == 3 * layers
    sum(losses.values()).backward()
    trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
    assert not [n for n, p in trained.items() if p.grad is None or not p.grad.isfinite().all()]
    (sample,) = predict(model.eval(), batch_of(([], (64, 96)), num_frames=2))
    results = sample.pred_sequences
    assert len(results) == 10
    assert results.num_frames == 2


def test_model_of_objects_has_no_classes() -> None:
    config = load_config("ttsrn-m2f_efficientnet-lite0_objects")
    init_default_scope(config.default_scope)
    model = MODELS.build(config.model)
    assert model.neck.in_channels == (24, 40, 112, 320)
    rectangles = [replace(rectangle, label=0) for rectangle in TWO]
    batch = batch_of((rectangles, (64, 96)), ([], (64, 96)), num_frames=1)
    losses = losses_of(model.train(), batch)
    kinds = {name.rpartition(".")[2] for name in losses}
    names = ("mask", "dice", "quality", "pixel", "seed", "bbox", "giou")
    assert kinds == {f"loss_{name}" for name in names}
    sum(losses.values()).backward()
    trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
    assert not [n for n, p in trained.items() if p.grad is None or not p.grad.isfinite().all()]
    (sample,) = predict(model.eval(), batch_of(([], (64, 96)), num_frames=1))
    assert not sample.pred_sequences.labels.any()


@pytest.mark.parametrize("name", QUERY_CONFIGS)
def test_config_of_instance_queries_names_its_data_and_backbone(name: str) -> None:
    config = load_config(name)
    year = "2021" if "ytvis21" in name else "2019"
    for loader in (config.train_dataloader, config.test_dataloader):
        assert loader.dataset.data_root == f"data/youtube_vis_{year}/"
    frames = config.train_dataloader.dataset.pipeline[0].num_frames
    assert frames == (8 if "ttsrn" in name else 2)
    assert frames <= config.model.head.num_frames
    init_cfg = config.model.backbone.init_cfg
    assert init_cfg.get("url", init_cfg.get("checkpoint")).startswith("https://")


@pytest.mark.parametrize(
    "name",
    [
        *("ttsrn_tiny_shapes", "ttsrn_tiny_copypaste", "ttsrn_tiny_realvis"),
        *("ttsrn-m2f_tiny_shapes", "ttsrn-m2f_tiny_davis", "mask2former_r50_ytvis21"),
        "ttsrn-m2f_efficientnet-lite0_objects",
    ],
)
def test_number_of_iterations_stands_in_one_place(name: str) -> None:
    config = load_config(name)
    numbers = re.findall(r"\d+", str(config.to_dict()))
    assert numbers.count(str(config.train_cfg.max_iters)) == 1
