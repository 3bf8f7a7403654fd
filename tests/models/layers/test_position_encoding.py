import pytest
import torch
from golden import load_arrays

from mmttsrn.models import SinePositionEncoding3D


@pytest.mark.parametrize("case", ["nomask", "padded", "per_frame"])
def test_encoding_equals_the_reference(case: str) -> None:
    golden = load_arrays("pos3d/cases.npz")
    encoding = SinePositionEncoding3D(384)(golden[f"{case}.mask"][None])
    expected = golden[f"{case}.pos"].permute(0, 2, 3, 1)[None]  # 1, T, h, w, C
    torch.testing.assert_close(encoding, expected, rtol=0, atol=1e-5)


def test_encoding_of_real_cells_does_not_depend_on_the_padding_of_the_batch() -> None:
    encode = SinePositionEncoding3D(12)
    alone = encode(torch.zeros(1, 3, 4, 5, dtype=torch.bool))
    padding = torch.ones(1, 3, 6, 8, dtype=torch.bool)
    padding[:, :, :4, :5] = False
    assert torch.equal(encode(padding)[:, :, :4, :5], alone)


def test_encoding_is_no_checkpoint_state() -> None:
    assert not SinePositionEncoding3D(12).state_dict()


def test_channels_must_split_in_six() -> None:
    with pytest.raises(ValueError, match="embed_dims=32: expected a multiple of 6"):
        SinePositionEncoding3D(32)
