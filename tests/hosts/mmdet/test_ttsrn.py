import copy
from collections.abc import Callable

import pytest
import torch
from tiny_ttsrn import BOX_ONLY, WIDTHS
from ttsrn_batches import BATCHES, batch_of, losses_of, prepared
from vis_samples import clip_sample

from mmttsrn.hosts.clip_truth import padding_mask
from mmttsrn.hosts.mmdet import TTSRN

Builder = Callable[..., TTSRN]


class TestForward:
    @pytest.mark.parametrize("t", [1, 2, 3])
    def test_tensor_mode_gives_raw_outputs(self, build_tiny: Builder, t: int) -> None:
        model = build_tiny()
        batch = prepared(model, batch_of(([], (64, 96)), ([], (40, 90)), num_frames=t), False)
        logits, boxes, masks = model(**batch, mode="tensor")
        assert logits.shape == (2, t, 4, 4)
        assert boxes.shape == (2, t, 4, 4)
        assert masks.shape == (2, 4, t, 16, 24)

    def test_without_samples_nothing_is_padding(self, build_tiny: Builder) -> None:
        model, clip = build_tiny(), torch.rand(1, 3, 3, 64, 96)
        samples = [clip_sample([], size=(64, 96))]
        for a, b in zip(
            model(clip, mode="tensor"), model(clip, samples, mode="tensor"), strict=True
        ):
            assert torch.equal(a, b)

    def test_padding_mask_marks_what_lies_outside_the_frames(self) -> None:
        clips = torch.rand(2, 3, 3, 64, 96)
        mask = padding_mask(clips, [[(64, 96)] * 3, [(40, 90)] * 3])
        assert not mask[0].any()
        assert not mask[1, :, :40, :90].any()
        assert mask[1, :, 40:].all()
        assert mask[1, :, :, 90:].all()

    def test_clips_of_a_batch_do_not_see_each_other(self, build_tiny: Builder) -> None:
        model = build_tiny()
        batch = prepared(model, batch_of(([], (64, 96)), ([], (30, 60))), training=False)
        with torch.no_grad():
            together = model(**batch, mode="tensor")
            for i in range(2):
                alone = model(
                    batch["inputs"][i : i + 1], batch["data_samples"][i : i + 1], mode="tensor"
                )
                for a, b in zip(together, alone, strict=True):
                    torch.testing.assert_close(a[i], b[0], rtol=1e-4, atol=1e-5)

    def test_garbage_in_padded_cells_does_not_reach_boxes(self, build_tiny: Builder) -> None:
        """From the backbone's maps on; the backbone itself sees the padding of the frames."""
        model = build_tiny()
        clips = torch.rand(1, 3, 3, 64, 96)
        padding = padding_mask(clips, [[(32, 64)] * 3])
        maps = [m[None] for m in model.backbone(clips[0])]
        garbage = [m.clone() for m in maps]
        garbage[-1][..., 1:, :] = 1e3
        garbage[-1][..., 2:] = -1e3
        clean, dirty = (model.head(model.neck(m, padding))[-1] for m in (maps, garbage))
        assert torch.equal(clean.boxes, dirty.boxes)
        assert torch.equal(clean.logits, dirty.logits)

    def test_box_only_model(self, build_tiny: Builder) -> None:
        _, _, masks = build_tiny(**BOX_ONLY)(torch.rand(1, 3, 3, 64, 96), mode="tensor")
        assert masks is None


class TestCore:
    """The core shares its parts with the model, whose children alone they are."""

    def test_parameters_have_one_name(self, build_tiny: Builder) -> None:
        model = build_tiny()
        names = dict(model.named_parameters())
        assert {name.partition(".")[0] for name in names} == {
            "backbone", "neck", "head", "mask_head"
        }  # fmt: skip
        assert set(names) == set(dict(model.core.named_parameters()))

    def test_a_copy_has_a_core_of_its_own(self, build_tiny: Builder) -> None:
        model = build_tiny()
        clip = torch.rand(1, 3, 3, 64, 96)
        before = model(clip, mode="tensor")[0]
        other = copy.deepcopy(model)
        assert other.core.backbone is other.backbone is not model.backbone
        with torch.no_grad():
            other.head.query_embed.weight.add_(1)
        assert torch.equal(model(clip, mode="tensor")[0], before)
        assert not torch.equal(other(clip, mode="tensor")[0], before)


class TestConfig:
    def test_another_backbone_takes_the_place(self, build_tiny: Builder) -> None:
        model = build_tiny(backbone=dict(type="mmdet.ResNet", depth=18, base_channels=8))
        assert model.neck.in_channels == (8, 16, 32, 64)
        assert all(
            value.isfinite() for value in losses_of(model, BATCHES["two instances"]).values()
        )

    def test_other_channels_than_those_of_the_backbone_are_refused(
        self, build_tiny: Builder
    ) -> None:
        model = build_tiny(neck=dict(in_channels=(*WIDTHS[:3], 64)))
        with pytest.raises(ValueError, match=r"model\.neck: in_channels=.*the backbone gives"):
            losses_of(model, BATCHES["two instances"])

    @pytest.mark.parametrize("overlap", [-1, 3])
    def test_overlap_must_leave_a_step(self, build_tiny: Builder, overlap: int) -> None:
        with pytest.raises(ValueError, match=f"clip_overlap={overlap} must be 0 to 2"):
            build_tiny(clip_overlap=overlap)

    def test_overlap_is_half_a_clip_by_default(self, build_tiny: Builder) -> None:
        assert build_tiny(head=dict(num_frames=6)).core.clip_overlap == 3
