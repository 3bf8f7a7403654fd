"""VidEoMT and EoMT in Transformers' names."""

import pytest
from tiny_videomt import DINOV3_VIT, VIT, K, host_model, videomt_config

from mmttsrn.apis.building import build_from_config
from mmttsrn.checkpoints.conversion import check_parts, convert
from mmttsrn.errors import UserInputError

CLASS_LAYER = {"head.cls_branch.layers.0.weight", "head.cls_branch.layers.0.bias"}


def test_every_tensor_has_its_place() -> None:
    source, model = host_model().state_dict(), build_from_config(videomt_config()).state_dict()
    conversion = convert(source, "videomt", model, "x")
    assert conversion.left_out.keys() == {"criterion.empty_weight", "attn_mask_probs"}
    assert conversion.initialised == []
    check_parts(conversion, "videomt", "x")


def test_other_classes_leave_the_class_layer_new() -> None:
    model = build_from_config(videomt_config(num_classes=K + 2)).state_dict()
    conversion = convert(host_model().state_dict(), "videomt", model, "x")
    assert {*conversion.initialised} == CLASS_LAYER
    check_parts(conversion, "videomt", "x")


def test_a_model_for_images_lacks_what_hands_queries_on() -> None:
    source = host_model(DINOV3_VIT).state_dict()
    model = build_from_config(videomt_config(DINOV3_VIT)).state_dict()
    conversion = convert(source, "videomt", model, "x")
    assert {*conversion.initialised} == {"head.query_updater.weight", "head.query_updater.bias"}
    check_parts(conversion, "videomt", "x")


def test_another_depth_is_refused() -> None:
    source = host_model(VIT | dict(num_hidden_layers=6)).state_dict()
    model = build_from_config(videomt_config()).state_dict()
    with pytest.raises(UserInputError, match="a backbone with 4 blocks, but the model's has 3"):
        convert(source, "videomt", model, "x")
