"""Set prediction loss of instance sequences."""

from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from mmengine.dist import all_reduce
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmttsrn.errors import UserInputError
from mmttsrn.models.losses.loss_terms import LossTerm, MatchedLayer
from mmttsrn.registry import MODELS, TASK_UTILS
from mmttsrn.structures import SequencePredictions, SequenceTargets


@MODELS.register_module()
class SequenceSetLoss(BaseModule):
    """Criterion: match the sequences of every decoder layer, then add up loss terms.

    Every decoder layer is matched anew and gets the terms whose ``needs`` it gives: in TT-SRN, only
    the last layer has masks.

    Args:
        matcher: Config of the matcher.
        terms: Configs of the terms, registered subclasses of
            :class:`~mmttsrn.models.losses.LossTerm`, by the name of their loss; None leaves a term
            of a base config out.

    Raises:
        UserInputError: The name of a loss has no "loss" in it.

    Source: VisTR (CVPR 2021), section 3.3.
    """

    def __init__(self, matcher: dict, terms: Mapping[str, dict | None]) -> None:
        super().__init__()
        for name in terms:
            if "loss" not in name:  # MMEngine would log it and not train on it
                raise UserInputError(f'model.criterion.terms.{name}: expected a name with "loss"')
        self.matcher = TASK_UTILS.build(matcher)
        self.terms = nn.ModuleDict(
            {name: MODELS.build(config) for name, config in terms.items() if config is not None}
        )

    @property
    def needs_masks(self) -> bool:
        """Whether any cost or term reads true masks."""
        terms = (term.needs for _, term in self._named_terms())
        # True classes of pixels and middles of objects are read from the true masks as well.
        return not {"masks", "pixel_logits", "seed_logits"}.isdisjoint(
            self.matcher.needs.union(*terms)
        )

    def check_decoder(self, every_layer: frozenset[str], last_layer: frozenset[str]) -> None:
        """Refuse a decoder that does not give what costs and terms need.

        Args:
            every_layer: What each decoder layer gives, see :attr:`SequencePredictions.gives`.
            last_layer: What the last one gives.
        """
        costs = ((f"matcher: {type(c).__name__}", c.needs) for c in self.matcher.costs)
        terms = ((f"terms.{name}", term.needs) for name, term in self._named_terms())
        parts = [(part, needs - every_layer, "head") for part, needs in costs]
        parts += [(part, needs - last_layer, "head or mask_head") for part, needs in terms]
        for part, missing, giver in parts:
            if missing:
                raise UserInputError(
                    f"model.criterion.{part} needs {' and '.join(sorted(missing))}, which the "
                    f"{giver} does not give; leave it out or choose another {giver}"
                )
        needed = frozenset[str]().union(*(term.needs for _, term in self._named_terms()))
        for part, name, term in (
            ("quality_branch", "quality", "loss_quality=dict(type='mmttsrn.SequenceQualityTerm'"),
            ("seeds", "seed_logits", "loss_seed=dict(type='mmttsrn.SeedTerm'"),
        ):
            if name in every_layer - needed:
                raise UserInputError(
                    f"model.head.{part}: no term of model.criterion trains it; add {term}, ...)"
                )

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
        normalizer = last.logits.new_tensor(float(sum(clip.valid.numel() for clip in targets)))
        all_reduce(normalizer, "mean")
        normalizer = normalizer.clamp(min=1)
        losses = self._layer_losses(last, targets, normalizer)
        for index, layer in enumerate(others):
            layer_losses = self._layer_losses(layer, targets, normalizer)
            losses.update({f"d{index}.{name}": value for name, value in layer_losses.items()})
        return losses

    def _named_terms(self) -> Iterator[tuple[str, LossTerm]]:
        for name, term in self.terms.items():
            yield name, cast(LossTerm, term)

    def _layer_losses(
        self,
        predictions: SequencePredictions,
        targets: Sequence[SequenceTargets],
        normalizer: Tensor,
    ) -> dict[str, Tensor]:
        matches = self.matcher.match_clips(predictions, targets)
        layer = MatchedLayer(predictions, targets, matches, normalizer)
        return {
            name: term(layer)
            for name, term in self._named_terms()
            if term.needs <= predictions.gives
        }
