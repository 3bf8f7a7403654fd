"""The table of released models in the documentation, written from the metafile."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmttsrn.errors import UserInputError
from mmttsrn.formats.output_files import replace_file

BEGIN = "<!-- released models: written by tools/model_converters/publish_model.py -->"
END = "<!-- end of released models -->"
HEADER = ("model", "config", "parameters", "data", "metrics", "download")
NONE_YET = "No weights are released yet."


def update_table(page: Path, models: Sequence[Mapping[str, Any]]) -> None:
    """Write the table between its two marks.

    Args:
        page: Markdown file that has the marks.
        models: Models of the metafile.

    Raises:
        UserInputError: The page is missing or has no marks.
    """
    text = check_page(page)
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    table = f"{before}{BEGIN}\n\n{render_table(models)}\n\n{END}{after}"
    replace_file(page, lambda draft: draft.write_text(table, encoding="utf-8"))


def check_page(page: Path) -> str:
    """Return the text of the page; refuse it without the marks between which the table stands."""
    if not page.is_file():
        raise UserInputError(f"{page}: there is no such page for the table of released models")
    text = page.read_text(encoding="utf-8")
    if not 0 <= text.find(BEGIN) < text.find(END):
        raise UserInputError(f"{page}: expected the lines {BEGIN} and {END}, in this order")
    return text


def render_table(models: Sequence[Mapping[str, Any]]) -> str:
    """Return the table in Markdown."""
    if not models:
        return NONE_YET
    rows = [HEADER, ("---",) * len(HEADER), *(_row(model) for model in models)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _row(model: Mapping[str, Any]) -> tuple[str, ...]:
    metadata = model.get("Metadata") or {}
    results = model.get("Results") or []
    metrics = [f"{k} {v}" for result in results for k, v in result["Metrics"].items()]
    files = {"pth": model["Weights"], "safetensors": model.get("Safetensors")}
    links = [f"[{kind}]({place})" for kind, place in files.items() if place]
    return (
        f"`{model['Name']}`",
        f"`{model['Config']}`",
        f"{metadata['Parameters']:,}" if "Parameters" in metadata else "",
        str(metadata.get("Training Data", "")),
        ", ".join(metrics),
        ", ".join(links),
    )
