import pytest
import torch
import torch.nn.functional as F

from mmttsrn.models.mask_heads.deform_conv import OffsetDeformConv2d

BACKENDS = ("mmcv", "grid_sample")


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    return request.param


def test_starts_as_a_plain_convolution(backend: str) -> None:
    conv = OffsetDeformConv2d(4, 3, backend)
    x = torch.randn(2, 4, 6, 7)
    expected = F.conv2d(x, conv.dcn.weight, padding=1)
    torch.testing.assert_close(conv(x), expected, rtol=0, atol=1e-5)


def test_offsets_are_rows_before_columns(backend: str) -> None:
    conv = OffsetDeformConv2d(1, 1, backend)
    # Channel 2k moves tap k down, 2k+1 to the right. Move every tap down by 1 and right by 2.
    conv.conv_offset.bias.data.copy_(torch.tensor([1.0, 2.0]).repeat(9))
    x = torch.randn(1, 1, 8, 9)
    shifted = F.pad(x, (0, 2, 0, 1))[:, :, 1:, 2:]
    expected = F.conv2d(shifted, conv.dcn.weight, padding=1)
    torch.testing.assert_close(conv(x)[:, :, 1:, 1:], expected[:, :, 1:, 1:], rtol=0, atol=1e-5)


def test_taps_go_row_by_row(backend: str) -> None:
    conv = OffsetDeformConv2d(1, 1, backend)
    # Only tap 2, the upper right one, counts; it moves down by half a cell.
    conv.dcn.weight.data.zero_()[0, 0, 0, 2] = 1.0
    conv.conv_offset.bias.data[2 * 2] = 0.5
    x = torch.randn(1, 1, 6, 7)
    upper_right = F.pad(x, (0, 1, 1, 0))[:, :, :6, 1:]
    right = F.pad(x, (0, 1))[:, :, :, 1:]
    torch.testing.assert_close(conv(x), (upper_right + right) / 2, rtol=0, atol=1e-5)


@pytest.mark.parametrize("batch", [1, 5, 33])
def test_every_batch_size_gives_the_same_images(backend: str, batch: int) -> None:
    conv = OffsetDeformConv2d(4, 3, backend)
    torch.nn.init.normal_(conv.conv_offset.weight, std=0.3)
    x = torch.randn(batch, 4, 5, 6)
    expected = torch.cat([conv(image[None]) for image in x])
    torch.testing.assert_close(conv(x), expected, rtol=0, atol=1e-5)


def test_mixed_precision_changes_nothing(backend: str) -> None:
    conv = OffsetDeformConv2d(8, 6, backend)
    torch.nn.init.normal_(conv.conv_offset.weight, std=0.5)
    found = []
    x = torch.randn(2, 8, 24, 200).bfloat16()  # steps of bfloat16 at 200 are a whole cell
    for enabled in (False, True):
        conv.zero_grad()
        image = (x if enabled else x.float()).requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            output = conv(image)
        assert output.dtype == image.dtype
        output.float().square().mean().backward()
        found.append([output.detach(), *(p.grad for p in (image, *conv.parameters()))])
    for expected, ours in zip(*found, strict=True):
        assert (ours - expected).norm() / expected.norm() < 0.01


def test_backends_agree() -> None:
    results = {}
    x = torch.randn(3, 4, 9, 7)
    for backend in BACKENDS:
        torch.manual_seed(1)
        conv = OffsetDeformConv2d(4, 3, backend)
        # Offsets of some cells, many of them past the border.
        torch.nn.init.normal_(conv.conv_offset.weight, std=1.5)
        inputs = x.clone().requires_grad_()
        output = conv(inputs)
        output.square().sum().backward()
        results[backend] = [output, inputs.grad, *(p.grad for p in conv.parameters())]
    for a, b in zip(*results.values(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3)


def test_unknown_backend_is_named() -> None:
    with pytest.raises(ValueError, match="deform_backend='cuda'"):
        OffsetDeformConv2d(4, 3, "cuda")
