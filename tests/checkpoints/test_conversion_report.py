"""The account that a user reads."""

import re

from foreign_checkpoints import official_twins

from mmttsrn.apis.building import state_without_values
from mmttsrn.apis.config_file import load_config
from mmttsrn.checkpoints.conversion import Conversion, LeftOut, convert
from mmttsrn.checkpoints.conversion_report import format_report


def a_conversion(**changes: object) -> Conversion:
    content = dict(
        state={},
        loaded={"blocks.0": "backbone.blocks.0", "blocks.1": "backbone.blocks.1", "p": "neck.p"},
        left_out={
            "head.weight": LeftOut("", "the classifier"),
            "q": LeftOut("head", "of another shape: 3x2 instead of 4x2"),
        },
        initialised=["head.query", "head.norm"],
    )
    return Conversion(**{**content, **changes})


def counts(report: str) -> dict[str, list[int]]:
    rows = re.findall(r"^(\S+) +(\d+) +(\d+) +(\d+)$", report, re.MULTILINE)
    return {name: [int(n) for n in numbers] for name, *numbers in rows}


def test_counts_by_module() -> None:
    assert counts(format_report(a_conversion())) == {
        "backbone": [2, 0, 0],
        "head": [0, 1, 2],
        "neck": [1, 0, 0],
        "(none)": [0, 1, 0],
        "total": [3, 2, 2],
    }


def test_left_out_and_new_names_are_listed_with_reasons() -> None:
    lines = format_report(a_conversion()).splitlines()
    assert "  (none), the classifier: head.weight" in lines
    assert "  head, of another shape: q (3x2 instead of 4x2)" in lines
    assert "  head: head.query, head.norm" in lines


def test_of_many_names_the_first_ones_and_their_number_are_shown() -> None:
    left_out = {f"x.{i}": LeftOut("neck", "not wanted") for i in range(9)}
    report = format_report(a_conversion(left_out=left_out))
    assert "  neck, not wanted: x.0, x.1, x.2, x.3, ... (9 tensors)" in report.splitlines()


def test_complete_conversion_has_no_lists() -> None:
    report = format_report(a_conversion(left_out={}, initialised=[]))
    assert "left out of" not in report
    assert "(not in the file" not in report


def test_official_twins() -> None:
    model = state_without_values(load_config("ttsrn_ytvis19"))
    report = format_report(convert(official_twins("small"), "twins", model, "x.pth"))
    assert counts(report)["backbone"] == [286, 2, 0]
    assert counts(report)["(none)"] == [0, 2, 0]
    assert "  (none), the ImageNet classifier: head.weight, head.bias" in report.splitlines()
    assert "  backbone, the norm before the ImageNet classifier: norm.weight, norm.bias" in report
