"""The list of released models and the table made from it."""

from pathlib import Path

import modelindex
import pytest
from modelindex.models.ModelIndex import ModelIndex

from mmttsrn.apis.config_file import configs_folder
from mmttsrn.checkpoints.metafile import (
    model_entry,
    read_metafile,
    released_models,
    update_metafile,
)
from mmttsrn.checkpoints.publishing import Release
from mmttsrn.checkpoints.zoo_table import BEGIN, END, NONE_YET, render_table, update_table
from mmttsrn.errors import UserInputError

REPOSITORY = configs_folder().resolve().parent


def release(name: str = "tiny", metrics: dict | None = None) -> Release:
    files = {
        suffix: Path(f"{name}_20260102-0123abcd{suffix}") for suffix in (".pth", ".safetensors")
    }
    hashes = dict.fromkeys(files, "0123abcd" * 8)
    meta = {"config_hash": "feed", "metrics": metrics or {"youtube_vis/mAP": 0.25}}
    return Release(name, files, hashes, 1234567, meta)


def entry(name: str = "tiny", **options) -> dict:
    return model_entry(release(name, **options), "configs/vis/x.py", "https://x.org/w", "shapes")


@pytest.fixture
def metafile(tmp_path):
    path = tmp_path / "metafile.yml"
    path.write_text("# About it.\nCollections:\n- Name: TT-SRN\nModels: []\n")
    return path


def load_index(metafile: Path) -> ModelIndex:
    """The index as OpenMMLab's tools read it, without complaints."""
    index_file = metafile.parent / "model-index.yml"
    index_file.write_text(f"Import:\n- {metafile.name}\n")
    index = modelindex.load(str(index_file))
    assert index.check(silent=True) == []
    return index


def test_index_of_the_package():
    index = modelindex.load(str(REPOSITORY / "model-index.yml"))
    assert index.check(silent=True) == []
    assert [collection.name for collection in index.collections] == ["TT-SRN"]


def test_entry_as_other_tools_read_it(metafile):
    update_metafile(metafile, entry())
    (model,) = load_index(metafile).models
    assert model.name == "tiny"
    assert model.in_collection == "TT-SRN"
    assert model.config == "configs/vis/x.py"
    assert model.weights == "https://x.org/w/tiny_20260102-0123abcd.pth"
    assert model.metadata.parameters == 1234567
    (result,) = model.results
    assert result.task == "Video Instance Segmentation"
    assert result.metrics == {"youtube_vis/mAP": 0.25}


def test_an_entry_takes_the_place_of_its_older_one(metafile):
    for name in ("tiny", "other"):
        update_metafile(metafile, entry(name))
    text = metafile.read_text()
    assert text.startswith("# About it.\n")
    update_metafile(metafile, entry())
    assert metafile.read_text() == text
    update_metafile(metafile, entry(metrics={"youtube_vis/mAP": 0.75}))
    models = read_metafile(metafile)["Models"]
    assert [model["Name"] for model in models] == ["tiny", "other"]
    assert models[0]["Results"][0]["Metrics"] == {"youtube_vis/mAP": 0.75}


def test_metrics_need_the_name_of_their_data():
    bare = model_entry(release(), "configs/vis/x.py", "w", None)
    assert "Results" not in bare


def test_released_models(metafile):
    update_metafile(metafile, entry())
    model = released_models(metafile)["tiny"]
    assert model.weights.endswith("/tiny_20260102-0123abcd.pth")
    assert model.sha256 == "0123abcd" * 8


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "not valid YAML"),
        ("Models:\n", "Models: expected a list"),
        ("Models:\n- Name: tiny\n  Config: x.py\n", "model tiny: no Weights and no SHA256"),
        ("Models: !!python/object/apply:os.getcwd []\n", "not valid YAML"),
    ],
)
def test_broken_metafile(metafile, text, message):
    metafile.write_text(text)
    with pytest.raises(UserInputError, match=message) as error:
        released_models(metafile)
    assert "\n" not in str(error.value)


def test_table_between_its_marks(tmp_path):
    page = tmp_path / "zoo.md"
    page.write_text(f"before\n\n{BEGIN}\nold\n{END}\n\nafter\n")
    update_table(page, [], tmp_path)
    assert NONE_YET in page.read_text()
    update_table(page, [entry()], page.parent)
    text = page.read_text()
    update_table(page, [entry()], page.parent)
    assert page.read_text() == text
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "old" not in text
    assert (
        "| `tiny` | `configs/vis/x.py` | 1,234,567 | shapes | youtube_vis/mAP 0.25 | "
        "[pth](https://x.org/w/tiny_20260102-0123abcd.pth), "
        "[safetensors](https://x.org/w/tiny_20260102-0123abcd.safetensors) |"
    ) in text


@pytest.mark.parametrize("text", [None, "no marks", f"{END} {BEGIN}"])
def test_page_without_marks(tmp_path, text):
    page = tmp_path / "zoo.md"
    if text is not None:
        page.write_text(text)
    with pytest.raises(UserInputError, match=r"zoo\.md"):
        update_table(page, [], tmp_path)


def test_page_of_the_package_is_that_of_its_metafile():
    page, metafile = (REPOSITORY / p for p in ("docs/model_zoo.md", "configs/vis/metafile.yml"))
    models = read_metafile(metafile)["Models"]
    assert render_table(models, metafile.parent, page) in page.read_text()


def test_links_to_files_beside_the_metafile_start_from_the_page(tmp_path):
    (tmp_path / "docs").mkdir()
    page = tmp_path / "docs" / "zoo.md"
    page.write_text(f"{BEGIN}\n{END}\n")
    local = model_entry(release(), "configs/vis/x.py", "released", None)
    update_table(page, [local], tmp_path / "configs")
    assert "[pth](../configs/released/tiny_20260102-0123abcd.pth)" in page.read_text()


def test_a_release_without_safetensors():
    files = {".pth": Path("tiny_20260102-0123abcd.pth")}
    bare = Release("tiny", files, dict.fromkeys(files, "0123"), 1, release().meta)
    described = model_entry(bare, "configs/vis/x.py", "w", None)
    assert described["Weights"] == "w/tiny_20260102-0123abcd.pth"
    assert not {"Safetensors", "Safetensors SHA256"} & described.keys()


def test_what_is_there_survives_a_write_that_fails(metafile, monkeypatch):
    page = metafile.with_name("page.md")
    page.write_text(f"{BEGIN}\n{END}\n")
    before = {path: path.read_bytes() for path in metafile.parent.iterdir()}
    write = Path.write_text

    def break_off(path, text, **options):
        write(path, text[:10], **options)
        raise OSError("no space left")

    monkeypatch.setattr(Path, "write_text", break_off)
    with pytest.raises(OSError, match="no space"):
        update_metafile(metafile, entry())
    with pytest.raises(OSError, match="no space"):
        update_table(page, [entry()], page.parent)
    assert {path: path.read_bytes() for path in metafile.parent.iterdir()} == before
