"""All cases."""

from broken_inputs.annotation_cases import annotation_cases
from broken_inputs.cases import ACCEPTED, COMMANDS, Case


def all_cases() -> list[Case]:
    """All cases; for each command, input without a fault is the first one."""
    cases = [Case(command, "good input", ACCEPTED, lambda work: {}) for command in COMMANDS]
    cases += annotation_cases()
    names = [(case.command, case.name) for case in cases]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise RuntimeError(f"two cases have one name: {twice}")
    return cases
