import torch

from mmttsrn.models import FramePixelDecoder
from mmttsrn.structures import ClipFeatures

N, T, C = 2, 3, 16
STRIDES, WIDTHS = (4, 8, 16, 32), (8, 16, 24, 32)

DEFORMABLE = dict(
    type="mmdet.MSDeformAttnPixelDecoder",
    in_channels=list(WIDTHS),
    strides=list(STRIDES),
    feat_channels=C,
    out_channels=12,
    num_outs=3,
    norm_cfg=dict(type="GN", num_groups=4),
    act_cfg=dict(type="ReLU"),
    encoder=dict(
        num_layers=1,
        layer_cfg=dict(
            self_attn_cfg=dict(embed_dims=C, num_heads=2, num_levels=3, num_points=2),
            ffn_cfg=dict(embed_dims=C, feedforward_channels=24),
        ),
    ),
    positional_encoding=dict(num_feats=C // 2, normalize=True),
)


def test_mmdets_decoder_gives_the_same_as_on_single_images() -> None:
    decoder = FramePixelDecoder(DEFORMABLE)
    decoder.init_weights()
    decoder.eval()
    maps = [
        torch.randn(N, T, width, 64 // stride, 96 // stride)
        for width, stride in zip(WIDTHS, STRIDES, strict=True)
    ]
    memory = maps[-1].permute(0, 1, 3, 4, 2)
    padding_mask = torch.zeros(memory.shape[:-1]).bool()
    with torch.no_grad():
        decoded = decoder(ClipFeatures(memory, None, padding_mask, tuple(maps[:-1])))
        shapes = [(N, T, C, 64 // stride, 96 // stride) for stride in (32, 16, 8)]
        assert [level.shape for level in decoded.levels] == shapes
        assert decoded.mask_features.shape == (N, T, 12, 16, 24)
        assert decoded.memory is memory
        for clip in range(N):
            for frame in range(T):
                mask_features, levels = decoder.decoder([m[clip, frame, None] for m in maps])
                torch.testing.assert_close(decoded.mask_features[clip, frame], mask_features[0])
                for level, expected in zip(decoded.levels, levels, strict=True):
                    torch.testing.assert_close(level[clip, frame], expected[0])
