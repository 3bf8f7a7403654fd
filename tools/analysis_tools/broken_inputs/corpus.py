"""All cases."""

from broken_inputs.annotation_cases import annotation_cases
from broken_inputs.cases import ACCEPTED, COMMANDS, Case
from broken_inputs.checkpoint_cases import checkpoint_cases
from broken_inputs.command_line_cases import command_line_cases
from broken_inputs.config_cases import config_cases
from broken_inputs.media_cases import media_cases
from broken_inputs.output_cases import output_cases
from broken_inputs.results_cases import results_cases


def all_cases() -> list[Case]:
    """All cases; for each command, input without a fault is the first one."""
    cases = [Case(command, "good input", ACCEPTED, lambda work: {}) for command in COMMANDS]
    for group in (
        annotation_cases, results_cases, media_cases, checkpoint_cases, config_cases,
        command_line_cases, output_cases,
    ):  # fmt: skip
        cases += group()
    names = [(case.command, case.name) for case in cases]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise RuntimeError(f"two cases have one name: {twice}")
    return cases
