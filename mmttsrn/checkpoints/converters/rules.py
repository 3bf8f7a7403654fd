"""How a foreign checkpoint format names what we have."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

UNKNOWN = "no name of this format"


@dataclass(frozen=True)
class Rule:
    r"""What becomes of the parameters whose names match a pattern.

    Args:
        pattern: Regular expression that a whole foreign name matches.
        target: Our name, with ``\1`` ... for groups of the pattern. Of what is left out, the part
            of our model that it would belong to; empty if we have none.
        leave_out: Why it is left out; empty if it is taken.
        select: What is taken of the tensor, if not all.
    """

    pattern: str
    target: str
    leave_out: str = ""
    select: Callable[[Tensor], Tensor] | None = None


@dataclass(frozen=True)
class SourceFormat:
    """A kind of foreign checkpoint.

    Args:
        title: What it is, for messages.
        signature: Regular expression; a checkpoint of this kind has names that begin with it.
        rules: Gives the rules, the first that matches counts, for these weights by name.
        parts: The parts of our models that each checkpoint of this kind has weights for.
        prepare: Gives the weights that the rules name, where those of the file have to be joined
            or completed first.
    """

    title: str
    signature: str
    rules: Callable[[Mapping[str, Tensor]], Sequence[Rule]]
    parts: tuple[str, ...]
    prepare: Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]] = dict

    def recognises(self, names: Collection[str]) -> bool:
        """Whether a checkpoint with these names can be one of this kind."""
        return any(re.match(self.signature, name) for name in names)


def find_rule(name: str, rules: Sequence[Rule]) -> Rule:
    """Return the first rule for a foreign name, with our name filled in as the target."""
    for rule in rules:
        match = re.fullmatch(rule.pattern, name)
        if match is not None:
            return replace(rule, target=match.expand(rule.target))
    return Rule(name, "", leave_out=UNKNOWN)
