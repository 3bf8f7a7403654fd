"""Converting: every foreign name has a place or a reason."""

from functools import cache

import pytest
import torch
from foreign_checkpoints import as_mmpretrain, detr_state, official_twins, vistr_state
from mmengine.config import Config
from torch import Tensor

from mmttsrn.apis.building import state_without_values
from mmttsrn.apis.config_file import load_config
from mmttsrn.checkpoints.conversion import Conversion, check_parts, convert
from mmttsrn.errors import UserInputError

TTSRN = {
    "small": "ttsrn_ytvis19",
    "base": "ttsrn_twins-svt-b_ytvis19",
    "large": "ttsrn_twins-svt-l_ytvis19",
}
VISTR = {50: "vistr_r50_ytvis19", 101: "vistr_r101_ytvis19"}


@cache
def state_of(config: str, **options: object) -> dict[str, Tensor]:
    cfg: Config = load_config(config)
    cfg.merge_from_dict({f"model.{k.replace('__', '.')}": v for k, v in options.items()})
    return state_without_values(cfg)


def as_meta(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same names and shapes without the work of copying values."""
    return {name: tensor.to("meta") for name, tensor in state.items()}


def reasons(conversion: Conversion) -> dict[str, str]:
    return {name: entry.reason for name, entry in conversion.left_out.items()}


def test_account_is_complete() -> None:
    source = as_meta(detr_state(width=384, masks=True))
    model = state_of("vistr_r50_ytvis19")
    conversion = convert(source, "detr", model, "x.pth")
    assert set(source) == set(conversion.loaded) | set(conversion.left_out)
    assert not set(conversion.loaded) & set(conversion.left_out)
    weights = {name for name in model if not name.endswith("num_batches_tracked")}
    taken = list(conversion.loaded.values())
    assert len(taken) == len(set(taken))
    assert weights == set(taken) | set(conversion.initialised)
    assert not set(taken) & set(conversion.initialised)


@pytest.mark.parametrize("kind", ["twins", "timm-twins", "mmpretrain-svt"])
@pytest.mark.parametrize("arch", TTSRN)
def test_every_official_twins_key_is_consumed_or_named(arch: str, kind: str) -> None:
    source = official_twins(arch)
    classifier = {"head.weight", "head.bias", "norm.weight", "norm.bias"}
    if kind == "mmpretrain-svt":
        source, classifier = as_mmpretrain(source), set(as_mmpretrain(dict.fromkeys(classifier)))
    conversion = convert(source, kind, state_of(TTSRN[arch]), "x.pth")
    assert set(conversion.left_out) == classifier
    assert all("ImageNet classifier" in reason for reason in reasons(conversion).values())
    assert set(conversion.loaded) == set(source) - classifier
    assert not any(name.startswith("backbone.") for name in conversion.initialised)


@pytest.mark.parametrize("kind", ["twins", "mmpretrain-svt"])
def test_norms_of_dense_prediction_models(kind: str) -> None:
    source = official_twins("small")
    for i, channels in enumerate((64, 128, 256, 512)):
        for name in ("weight", "bias"):
            source[f"norm_list.{i}.{name}"] = torch.empty(channels, device="meta")
            source.pop(f"norm.{name}", None)
    if kind == "mmpretrain-svt":
        source = as_mmpretrain(source)
    normed = state_of("ttsrn_ytvis19", backbone__output_norm=True)
    conversion = convert(source, kind, normed, "x.pth")
    assert len(conversion.left_out) == 2
    assert not any(name.startswith("backbone.") for name in conversion.initialised)
    plain = convert(source, kind, state_of("ttsrn_ytvis19"), "x.pth")
    assert list(reasons(plain).values()).count("the model has no such parameter") == 8


@pytest.mark.parametrize("depth", VISTR)
def test_vistr_is_loaded_whole(depth: int) -> None:
    model = state_of(VISTR[depth])
    source = as_meta(vistr_state(depth))
    for kind in ("vistr", f"vistr-r{depth}"):
        conversion = convert(source, kind, model, "x.pth")
        assert not conversion.left_out
        assert not conversion.initialised
        assert {k: v.shape for k, v in conversion.state.items()} == {
            k: v.shape for k, v in model.items()
        }


def test_class_rows_of_vistr() -> None:
    source = vistr_state(layers=1)
    conversion = convert(source, "vistr", state_of("vistr_r50_ytvis19"), "x.pth")
    for kind in ("weight", "bias"):
        theirs = source[f"vistr.class_embed.{kind}"]  # 0, 1, ..., 40, no-object
        ours = conversion.state[f"head.cls_branch.layers.0.{kind}"]  # 0, ..., 39, no-object
        assert torch.equal(ours[0], theirs[1])
        assert torch.equal(ours[39], theirs[40])
        assert torch.equal(ours[40], theirs[41])
        assert len(ours) == 41


def test_converted_tensors_share_no_memory_with_the_source() -> None:
    source = vistr_state(layers=1)
    conversion = convert(source, "vistr", state_of("vistr_r50_ytvis19"), "x.pth")
    theirs = source["vistr.class_embed.weight"]
    ours = conversion.state["head.cls_branch.layers.0.weight"]
    assert ours.untyped_storage().nbytes() == ours.numel() * ours.element_size()
    assert ours.data_ptr() != theirs.data_ptr()


def test_half_precision_becomes_the_type_of_the_model() -> None:
    source = {name: tensor.half() for name, tensor in official_twins("small").items()}
    conversion = convert(source, "twins", state_of("ttsrn_ytvis19"), "x.pth")
    assert {tensor.dtype for tensor in conversion.state.values()} == {torch.float32}


@pytest.mark.parametrize("num_classes", [3, 41])
def test_other_classes_re_initialise_the_class_layer(num_classes: int) -> None:
    model = state_of("vistr_r50_ytvis19", head__num_classes=num_classes)
    conversion = convert(as_meta(vistr_state()), "vistr", model, "x.pth")
    layer = {f"head.cls_branch.layers.0.{kind}" for kind in ("weight", "bias")}
    assert set(conversion.initialised) == layer
    reason = f"other classes: 40 in the checkpoint, {num_classes} in the model"
    assert reasons(conversion) == {
        f"vistr.class_embed.{kind}": reason for kind in ("weight", "bias")
    }


@pytest.mark.parametrize("masks", [False, True])
def test_detr_of_the_same_width(masks: bool) -> None:
    source = as_meta(detr_state(width=384, masks=masks))
    conversion = convert(source, "detr", state_of("vistr_r50_ytvis19"), "x.pth")
    prefix = "detr." if masks else ""
    left_out = {f"{prefix}{name}" for name in ("class_embed.weight", "class_embed.bias")}
    left_out.add(f"{prefix}query_embed.weight")
    if masks:
        layers = ("lay5", "out_lay")
        left_out |= {f"mask_head.{name}.{kind}" for name in layers for kind in ("weight", "bias")}
    assert set(conversion.left_out) == left_out
    new = {name.partition(".layers")[0].partition(".weight")[0] for name in conversion.initialised}
    assert {"head.cls_branch", "head.query_embed"} <= new
    mask_head = [name for name in conversion.initialised if name.startswith("mask_head.")]
    own = ("mask_head.fpn.deform_conv.", "mask_head.sequence_convs.")
    assert all(name.startswith(own) for name in mask_head) == masks
    assert not any(name.startswith(("backbone", "neck")) for name in conversion.initialised)


def test_published_detr_is_narrower_so_its_backbone_fits() -> None:
    source = as_meta(detr_state(width=256))
    conversion = convert(source, "detr", state_of("vistr_r50_ytvis19"), "x.pth")
    assert {name.partition(".")[0] for name in conversion.loaded.values()} == {"backbone"}
    shapes = [reason for reason in reasons(conversion).values() if reason.startswith("of another")]
    assert "of another shape: (768, 256) instead of (1152, 384)" in shapes
    # A bias has the size of ours, but what it was learnt with is not there.
    bias = "transformer.encoder.layers.0.linear1.bias"
    assert reasons(conversion)[bias] == "the rest of its layer does not fit"


def test_detr_for_twins_gives_the_transformer() -> None:
    source = as_meta(detr_state(width=384, masks=True))
    conversion = convert(source, "detr", state_of("ttsrn_ytvis19"), "x.pth")
    assert not any(name.startswith("backbone") for name in conversion.loaded.values())
    adapters = {name for name in conversion.left_out if "adapter" in name}
    assert len(adapters) == 6
    neck = {name for name in conversion.initialised if name.startswith("neck.")}
    assert neck == {"neck.input_proj.weight", "neck.input_proj.bias"}


def test_weights_renamed_by_the_authors_of_vistr_are_a_detr() -> None:
    source = {
        name.replace("detr.", "vistr."): tensor
        for name, tensor in as_meta(detr_state(width=384, masks=True)).items()
    }
    conversion = convert(source, "detr", state_of("vistr_r50_ytvis19"), "x.pth")
    assert "head.bbox_branch.layers.2.weight" in conversion.state
    assert "vistr.class_embed.weight" in conversion.left_out


@pytest.mark.parametrize(
    ("source", "kind", "config", "says"),
    [
        (lambda: official_twins("small"), "twins", "ttsrn_ytvis19", ""),
        (lambda: as_mmpretrain(official_twins("base")), "mmpretrain-svt", TTSRN["base"], ""),
        (lambda: detr_state(width=384), "detr", "vistr_r50_ytvis19", ""),
        (lambda: detr_state(width=384, masks=True), "detr", "vistr_r50_ytvis19", ""),
        (lambda: vistr_state(), "vistr", "vistr_r50_ytvis19", ""),
        (
            lambda: detr_state(width=256),
            "detr",
            "vistr_r50_ytvis19",
            "head (0 of 119), neck (0 of 74); left out: transformer.encoder.layers.0.self_attn",
        ),
        (lambda: detr_state(width=384), "detr", "ttsrn_ytvis19", "backbone (0 of 286), "),
        (lambda: vistr_state(), "vistr", "ttsrn_ytvis19", "backbone (0 of 286), "),
    ],
)
def test_a_part_that_would_be_left_out(source, kind: str, config: str, says: str) -> None:
    conversion = convert(as_meta(source()), kind, state_of(config), "x.pth")
    if not says:
        check_parts(conversion, kind, "x.pth")
        return
    with pytest.raises(UserInputError) as error:
        check_parts(conversion, kind, "x.pth")
    start = f"x.pth: would leave out a part; tensors that fit: {says}"
    assert str(error.value).startswith(start)
    assert str(error.value).endswith("pass --allow-missing-parts")


def test_a_part_that_the_model_has_not_is_left_out() -> None:
    model = {k: v for k, v in state_of("vistr_r50_ytvis19").items() if "mask_head" not in k}
    conversion = convert(as_meta(vistr_state()), "vistr", model, "x.pth")
    with pytest.raises(UserInputError, match=r"mask_head \(0 of 0\); left out: bbox_attention"):
        check_parts(conversion, "vistr", "x.pth")


@pytest.mark.parametrize("options", [dict(head__num_classes=3), dict(head__num_instances=5)])
def test_layers_that_depend_on_the_data_are_no_part(options: dict) -> None:
    source = as_meta(vistr_state()) | {"ema.decay": torch.empty(1, device="meta")}
    conversion = convert(source, "vistr", state_of("vistr_r50_ytvis19", **options), "x.pth")
    assert conversion.initialised
    check_parts(conversion, "vistr", "x.pth")


def test_unknown_names_are_left_out_by_name() -> None:
    source = {**official_twins("small"), "ema.decay": torch.empty(1, device="meta")}
    conversion = convert(source, "twins", state_of("ttsrn_ytvis19"), "x.pth")
    assert reasons(conversion)["ema.decay"] == "no name of this format"


@pytest.mark.parametrize(
    ("source", "kind", "message"),
    [
        (lambda: detr_state(masks=True), "vistr", "its names are those of --from detr"),
        (lambda: official_twins("small"), "mmpretrain-svt", "--from twins or timm-twins"),
        (lambda: as_mmpretrain(official_twins("small")), "twins", "--from mmpretrain-svt"),
        (lambda: {"fc.weight": torch.zeros(1)}, "detr", "its names are fc.weight"),
        (lambda: {"vistr.x": torch.zeros(1)}, "vistr", "nothing of this checkpoint fits"),
        (lambda: official_twins("base"), "twins", "with 24 blocks, but the model's has 18"),
        (lambda: vistr_state(101), "vistr-r50", "with 33 blocks, but the model's has 16"),
    ],
)
def test_what_does_not_fit_is_refused(source, kind: str, message: str) -> None:
    config = "vistr_r50_ytvis19" if "vistr" in kind else "ttsrn_ytvis19"
    with pytest.raises(UserInputError) as error:
        convert(as_meta(source()), kind, state_of(config), "x.pth")
    assert str(error.value).startswith("x.pth: ")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_large_for_base_has_the_same_blocks_but_nothing_fits() -> None:
    with pytest.raises(
        UserInputError, match="nothing of this checkpoint fits the model; of its 384"
    ):
        convert(official_twins("large"), "twins", state_of(TTSRN["base"]), "x.pth")
