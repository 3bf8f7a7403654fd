"""Set prediction loss of instance sequences."""

from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from mmengine.dist import all_reduce
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmttsrn.errors import UserInputError
from mmttsrn.models.losses.loss_terms import (
    BoxTerm,
    ClassTerm,
    LossTerm,
    MatchedLayer,
    PixelMaskTerm,
    RegionMaskTerm,
)
from mmttsrn.registry import MODELS, TASK_UTILS
from mmttsrn.structures import SequencePredictions, SequenceTargets


@MODELS.register_module()
class SequenceSetLoss(BaseModule):
    """Criterion: match the sequences of every decoder layer, then add up loss terms.

    Only frames where a matched instance is visible enter box and mask losses and count as its
    class; every other query is no-object. Box and mask losses are divided by the number of target
    frames n*T, absent ones included, averaged over ranks. Every decoder layer is matched anew and
    gets the terms whose ``needs`` it gives: of TT-SRN, masks belong to the last layer.

    A loss that is left out of the config is not computed.

    Args:
        num_classes: Real classes K.
        matcher: Config of the matcher.
        no_object_weight: Weight of the no-object class in the class loss.
        loss_cls: Config of the class loss.
        loss_bbox: Config of the L1 loss on boxes (cx, cy, w, h) in 0..1.
        loss_giou: Config of the generalised-IoU loss on the same boxes.
        loss_mask: Config of the pixel-wise mask loss.
        loss_dice: Config of the region mask loss.
        ignore_padding: Leave padded pixels out of the mask losses instead of counting them as
            background (the reference).
        terms: Configs of further terms by the name of their loss, registered subclasses of
            :class:`~mmttsrn.models.losses.LossTerm`.

    Source: VisTR (CVPR 2021), section 3.3.
    """

    def __init__(
        self,
        num_classes: int,
        matcher: dict,
        no_object_weight: float = 0.1,
        loss_cls: dict | None = None,
        loss_bbox: dict | None = None,
        loss_giou: dict | None = None,
        loss_mask: dict | None = None,
        loss_dice: dict | None = None,
        ignore_padding: bool = False,
        terms: Mapping[str, dict] | None = None,
    ) -> None:
        super().__init__()
        self.matcher = TASK_UTILS.build(matcher)
        self.terms = nn.ModuleDict()
        if loss_cls:
            self.terms["loss_cls"] = ClassTerm(loss_cls, num_classes, no_object_weight)
        for name, loss in (("loss_bbox", loss_bbox), ("loss_giou", loss_giou)):
            if loss:
                self.terms[name] = BoxTerm(loss)
        if loss_mask:
            self.terms["loss_mask"] = PixelMaskTerm(loss_mask, ignore_padding)
        if loss_dice:
            self.terms["loss_dice"] = RegionMaskTerm(loss_dice, ignore_padding)
        for name, config in (terms or {}).items():
            self.terms[name] = MODELS.build(config)

    @property
    def needs_masks(self) -> bool:
        """Whether any cost or term reads true masks."""
        terms = (term.needs for _, term in self._named_terms())
        # The true class of a pixel is read from the true masks as well.
        return not {"masks", "pixel_logits"}.isdisjoint(self.matcher.needs.union(*terms))

    def check_decoder(self, every_layer: frozenset[str], last_layer: frozenset[str]) -> None:
        """Refuse a decoder that does not give what costs and terms need.

        Args:
            every_layer: What each decoder layer gives, of ``boxes``, ``masks``, ``pixel_logits``.
            last_layer: What the last one gives.

        Raises:
            UserInputError: One line that names cost or term and what is missing.
        """
        for cost in self.matcher.costs:
            if missing := cost.needs - every_layer:
                raise UserInputError(
                    f"criterion.matcher: {type(cost).__name__} needs {_names(missing)} in every "
                    "layer, which this head does not give; leave the cost out or choose another "
                    "head"
                )
        for name, term in self._named_terms():
            if missing := term.needs - last_layer:
                raise UserInputError(
                    f"criterion.{name} needs {_names(missing)}, which this head does not give; set "
                    f"criterion.{name}=None or choose another head"
                    + (" or a mask_head" if "masks" in missing else "")
                )

    def match(self, predictions: SequencePredictions, targets: Sequence[SequenceTargets]) -> Tensor:
        """Match one decoder layer: (M, 3) int64 rows (clip, predicted, true)."""
        return self.matcher.match_clips(predictions, targets)

    def forward(
        self, layers: Sequence[SequencePredictions], targets: Sequence[SequenceTargets]
    ) -> dict[str, Tensor]:
        """Compute all losses.

        Args:
            layers: Predictions of the L decoder layers for N clips.
            targets: True sequences of each clip.

        Returns:
            Losses by name; those of layer l < L-1 are called ``d<l>.loss_*``.
        """
        *others, last = layers
        normalizer = self._normalizer(targets, last.logits)
        losses = self._layer_losses(last, targets, normalizer)
        for index, layer in enumerate(others):
            layer_losses = self._layer_losses(layer, targets, normalizer)
            losses.update({f"d{index}.{name}": value for name, value in layer_losses.items()})
        return losses

    def _named_terms(self) -> Iterator[tuple[str, LossTerm]]:
        for name, term in self.terms.items():
            yield name, cast(LossTerm, term)

    def _normalizer(self, targets: Sequence[SequenceTargets], like: Tensor) -> Tensor:
        frames = like.new_tensor(float(sum(clip.valid.numel() for clip in targets)))
        all_reduce(frames, "mean")
        return frames.clamp(min=1)

    def _layer_losses(
        self,
        predictions: SequencePredictions,
        targets: Sequence[SequenceTargets],
        normalizer: Tensor,
    ) -> dict[str, Tensor]:
        layer = MatchedLayer(predictions, targets, self.match(predictions, targets), normalizer)
        return {
            name: term(layer)
            for name, term in self._named_terms()
            if term.needs <= predictions.gives
        }


def _names(needs: frozenset[str]) -> str:
    return " and ".join(sorted(needs))
