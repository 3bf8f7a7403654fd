"""The list of released models, and the page that shows them."""

from pathlib import Path

import modelindex
import pytest
import yaml
from modelindex.models.ModelIndex import ModelIndex

from mmttsrn.apis.config_file import configs_folder
from mmttsrn.checkpoints.metafile import released_models, update_metafile
from mmttsrn.checkpoints.publishing import Release, model_entry
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
    models = yaml.safe_load(metafile.read_text())["Models"]
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
        ("a: [", "not a metafile: "),
        ("Models:\n", "not a metafile: "),
        ("Models: !!python/object/apply:os.getcwd []\n", "not a metafile: "),
        ("Models:\n- Name: tiny\n  Config: x.py\n", "KeyError: Weights"),
        ("Models: [{Name: a, Config: b, Weights: c, SHA256: ''}]", "SHA256: expected 64"),
    ],
)
def test_broken_metafile(metafile, text, message):
    metafile.write_text(text)
    with pytest.raises(UserInputError, match=message):
        released_models(metafile)


def test_page_shows_what_the_metafile_lists():
    page = (REPOSITORY / "docs/model_zoo.md").read_text()
    for model in yaml.safe_load((REPOSITORY / "configs/vis/metafile.yml").read_text())["Models"]:
        metrics = model["Results"][0]["Metrics"]
        row = (
            f"| `{model['Name']}` | `{model['Config']}` | {model['Metadata']['Parameters']:,} | "
            f"{model['Metadata']['Training Data']} | "
            f"{', '.join(f'{name} {value}' for name, value in metrics.items())} | "
            f"[pth](../configs/vis/{model['Weights']}) |"
        )
        assert row in page


def test_what_is_there_survives_a_write_that_fails(metafile, monkeypatch):
    before = metafile.read_bytes()
    write = Path.write_text

    def break_off(path, text, **options):
        write(path, text[:10], **options)
        raise OSError("no space left")

    monkeypatch.setattr(Path, "write_text", break_off)
    with pytest.raises(OSError, match="no space"):
        update_metafile(metafile, entry())
    assert [path.read_bytes() for path in metafile.parent.iterdir()] == [before]
