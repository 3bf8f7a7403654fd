import pytest
import torch
from decoder_layers import stacked
from tiny_ttsrn import PAPER

from mmttsrn.models import InstanceSequenceHead, SinePositionEncoding3D
from mmttsrn.structures import ClipFeatures


def build(**changes) -> InstanceSequenceHead:
    settings = dict(
        num_classes=3,
        num_frames=3,
        num_instances=4,
        embed_dims=12,
        num_layers=2,
        num_heads=2,
        ffn_channels=16,
        cls_branch=PAPER["head"]["cls_branch"],
        bbox_branch=PAPER["head"]["bbox_branch"],
    )
    head = InstanceSequenceHead(**{**settings, **changes})
    head.init_weights()
    return head.eval()


def random_features(n: int = 2, t: int = 3) -> ClipFeatures:
    """Features of 2x3 cells; in the first clip the last row and the last column are padding."""
    padding = torch.zeros(n, t, 2, 3, dtype=torch.bool)
    padding[0, :, 1:] = padding[0, :, :, 2:] = True
    return ClipFeatures(
        memory=torch.randn(n, t, 2, 3, 12),
        positions=SinePositionEncoding3D(12)(padding),
        padding_mask=padding,
        fine_maps=(),
    )


@pytest.mark.parametrize("t", [1, 2, 3])
def test_shapes(t: int) -> None:
    predictions = stacked(build()(random_features(t=t)))
    assert predictions.states.shape == (2, 2, t, 4, 12)
    assert predictions.logits.shape == (2, 2, t, 4, 4)
    assert predictions.boxes.shape == (2, 2, t, 4, 4)
    assert predictions.boxes.min() >= 0
    assert predictions.boxes.max() <= 1


def test_short_clips_use_the_queries_of_the_first_frames() -> None:
    head, features = build(), random_features(t=2)
    before = stacked(head(features)).states
    with torch.no_grad():
        head.query_embed.weight[2 * 4 :] += 1
    assert torch.equal(before, stacked(head(features)).states)
    with torch.no_grad():
        head.query_embed.weight[: 2 * 4] += 1
    assert not torch.allclose(before, stacked(head(features)).states)


def test_queries_are_frame_major() -> None:
    head, features = build(), random_features()
    # Without self-attention a query sees only itself and the memory.
    for layer in head.layers:
        torch.nn.init.zeros_(layer.self_attn.out_proj.weight)
    before = stacked(head(features)).states
    with torch.no_grad():
        head.query_embed.weight[1 * 4 + 2] += 1
    changed = (before - stacked(head(features)).states).abs().amax((0, 1, 4)) > 1e-6  # T, Q
    assert changed.nonzero().tolist() == [[1, 2]]


def test_garbage_in_padded_cells_reaches_no_query() -> None:
    head, clean = build(), random_features()
    memory = torch.where(clean.padding_mask[..., None], torch.tensor(1e4), clean.memory)
    dirty = ClipFeatures(memory, clean.positions, clean.padding_mask, ())
    expected, predictions = stacked(head(clean)), stacked(head(dirty))
    assert torch.equal(predictions.states, expected.states)
    assert torch.equal(predictions.logits, expected.logits)
    assert torch.equal(predictions.boxes, expected.boxes)


def test_clips_of_a_batch_do_not_see_each_other() -> None:
    head, features = build(), random_features()
    together = stacked(head(features))
    for i in range(2):
        one = slice(i, i + 1)
        fields = (features.memory, features.positions, features.padding_mask)
        alone = stacked(head(ClipFeatures(*(field[one] for field in fields), ())))
        torch.testing.assert_close(together.states[:, one], alone.states)


def test_checkpointing_changes_no_gradient() -> None:
    plain, recomputing = build().train(), build(with_cp=True).train()
    recomputing.load_state_dict(plain.state_dict())
    features = random_features()
    for head in (plain, recomputing):
        torch.manual_seed(1)  # The same dropout.
        predictions = stacked(head(features))
        (predictions.logits.square().sum() + predictions.boxes.sum()).backward()
    gradients = dict(recomputing.named_parameters())
    for name, parameter in plain.named_parameters():
        torch.testing.assert_close(parameter.grad, gradients[name].grad, msg=name)


def test_pretrained_weights_survive_init_weights(tmp_path) -> None:
    source = build()
    for parameter in source.parameters():
        torch.nn.init.normal_(parameter)
    path = tmp_path / "head.pt"
    torch.save(source.state_dict(), path)
    head = build(init_cfg=dict(type="Pretrained", checkpoint=str(path)))
    for name, parameter in source.state_dict().items():
        assert torch.equal(head.state_dict()[name], parameter), name


def test_queries_start_independent() -> None:
    queries = build(num_frames=50).query_embed.weight
    assert queries.std().item() == pytest.approx(1.0, abs=0.1)
    assert len(queries.unique(dim=0)) == 50 * 4


def test_factorised_queries_are_an_instance_plus_a_time() -> None:
    queries = build(query_init="factorised").query_embed.weight.unflatten(0, (3, 4))  # T, Q, C
    moved = queries - queries[:1]
    torch.testing.assert_close(moved, moved[:, :1].expand_as(moved), rtol=0, atol=1e-5)
    times = SinePositionEncoding3D(12)(torch.zeros(1, 3, 1, 1, dtype=torch.bool))[0, :, 0, 0]
    torch.testing.assert_close(moved[:, 0], times - times[0], rtol=0, atol=1e-5)
    assert (queries[0, 0] - queries[0, 1]).abs().max() > 0.1


def test_first_self_attention_gives_its_norm_something_to_scale() -> None:
    # With a zero bias the norm's input is zero and the gradient of its variance explodes.
    head = build()
    assert head.layers[0].self_attn.out_proj.bias.std() > 0.01


def test_unknown_query_init_is_named() -> None:
    with pytest.raises(ValueError, match="query_init='zero'"):
        build(query_init="zero")
