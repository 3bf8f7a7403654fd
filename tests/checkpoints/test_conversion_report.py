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
    assert "  head.weight: the classifier" in lines
    assert "  q: of another shape, e.g. 3x2 instead of 4x2" in lines
    assert "  head.query, head.norm" in lines


def left_out(*names: str) -> dict[str, LeftOut]:
    return {name: LeftOut("", "not wanted") for name in names}


def test_many_names_are_patterns_that_cover_no_other_name() -> None:
    names = [f"{layer}.{i}.w" for layer in ("a.b", "a.c", "d") for i in range(3)]
    loaded = {"a.c.7.w": "neck.x", "a.e.w": "neck.y"}
    report = format_report(a_conversion(left_out=left_out(*names), loaded=loaded))
    assert "  a.b.*, a.c.0.w, a.c.1.w, a.c.2.w, d.* (9 tensors)" not in report  # too many
    assert "  some of a.*, some of d.* (9 tensors): not wanted" in report
    report = format_report(a_conversion(left_out=left_out(*names), loaded={"a.e.w": "neck.y"}))
    assert "  a.b.*, a.c.*, d.* (9 tensors): not wanted" in report


def test_a_single_name_among_patterns_is_itself() -> None:
    names = [*(f"a.{i}.w" for i in range(4)), "b.w"]
    report = format_report(a_conversion(left_out=left_out(*names), loaded={"b.v": "neck.x"}))
    assert "  a.*, b.w (5 tensors): not wanted" in report


def test_class_change_is_said() -> None:
    changed = a_conversion(class_change="40 in the checkpoint, 3 in the model")
    line = "class layer re-initialised: 40 in the checkpoint, 3 in the model"
    assert line in format_report(changed).splitlines()
    assert "class layer" not in format_report(a_conversion())


def test_complete_conversion_has_no_lists() -> None:
    report = format_report(a_conversion(left_out={}, initialised=[]))
    assert "left out of" not in report
    assert "(not in the file" not in report


def test_official_twins() -> None:
    model = state_without_values(load_config("ttsrn_ytvis19"))
    report = format_report(convert(official_twins("small"), "twins", model, "x.pth"))
    assert counts(report)["backbone"] == [286, 2, 0]
    assert counts(report)["(none)"] == [0, 2, 0]
    assert "  head.weight, head.bias: the ImageNet classifier" in report.splitlines()
    assert "  norm.weight, norm.bias: the norm before the ImageNet classifier" in report
