"""A recipe on photographs: drawn faces to scores, bundled, and any folder of pictures graded."""

import io
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml
from PIL import Image
from typer.testing import CliRunner

from overread.cli import app
from overread.inference import Bundle, grade, grade_study
from overread.pipeline import PlanError, Ran, Store, graph_of, make_bundle, read_recipe, run
from overread.pipeline.dataset_files import load_dataset
from overread.pipeline.pages import write_grades_page
from overread.pipeline.stages.decode import load_pixels
from overread.pipeline.stages.folds import load_folds
from overread.pipeline.stages.predict import load_predictions
from overread.pipeline.step import in_order

pytestmark = pytest.mark.slow
RECIPES = Path(__file__).parents[2] / "recipes"


def small(folder: Path, **forge: object) -> Path:
    """Write the tiny recipe with few persons and few steps."""
    recipe = yaml.safe_load((RECIPES / "tiny" / "mask_faces.yaml").read_text())
    recipe["dataset"]["forge"] |= {"studies": 8, **forge}
    recipe["views"]["face"]["pixels"] = [32, 32]
    recipe["defaults"]["fit"] |= {"epochs": 2, "batch": 8}
    recipe["members"]["balanced"]["fit"] |= {"cycle": 2, "cycle_warmup": 0.5}
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump(recipe, sort_keys=False))
    return path


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """A finished run."""
    folder = tmp_path_factory.mktemp("faces")
    return run(read_recipe(small(folder)), None, folder / "store")


@pytest.fixture(scope="module")
def bundle(ran: Ran, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its bundle."""
    folder = tmp_path_factory.mktemp("bundle") / "bundle"
    make_bundle(ran.graph.recipe, None, ran.report.parents[1], folder)
    return folder


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Photographs as people have them, one cut short, one that is no picture at all."""
    folder = tmp_path / "pictures"
    (folder / "more").mkdir(parents=True)
    shades = np.random.default_rng(0).integers(0, 255, (60, 48, 3), np.uint8)
    colour = Image.fromarray(shades)
    colour.save(folder / "a.jpg")
    colour.convert("RGBA").save(folder / "b.png")
    colour.quantize(16).save(folder / "c.png")
    colour.convert("L").save(folder / "more" / "d.webp")
    Image.fromarray(shades[..., 0].astype(np.uint16) * 256).save(folder / "e.png")
    whole = io.BytesIO()
    colour.save(whole, "JPEG")
    (folder / "cut.jpg").write_bytes(whole.getvalue()[: len(whole.getvalue()) // 2])
    (folder / "words.jpg").write_text("no picture")
    (folder / "._a.jpg").write_bytes(b"\0\5\26\7")
    return folder


def test_the_class_is_scored_beside_its_parts(ran: Ran) -> None:
    """Each predictor and each floor has macro F1 and accuracy of the 18 classes."""
    scores = ran.to_json()["scores"]
    found = {
        (name, metric): set(scores[name][metric]["targets"])
        for name in ("plain", "balanced", "pair", "person", "floor:prior")
        for metric in ("macro_f1", "accuracy")
    }

    assert set(map(frozenset, found.values())) == {frozenset({"mask", "gender", "age", "class"})}


def test_persons_are_on_one_side(ran: Ran) -> None:
    """Each photograph is answered by the network that saw nobody's other photograph."""
    store = Store(ran.report.parents[1])
    folds = load_folds(store.folder(ran.graph.folds)).of()
    table = load_predictions(store.folder(ran.graph.predictors["plain"])).frame

    assert table["fold"].to_list() == [folds[subject] for subject in table["subject"]]
    assert len(folds) == 8
    assert 50 <= table["unit"].n_unique() <= 56


def test_the_vote_gives_a_person_one_gender(ran: Ran) -> None:
    """All photographs of a person have the voted gender; masks stay their own."""
    store = Store(ran.report.parents[1])
    table = load_predictions(store.folder(ran.graph.predictors["person"])).frame
    spread = table.group_by("target", "subject").agg(
        pl.col("probabilities").list.first().round(9).n_unique()
    )
    most = dict(spread.group_by("target").agg(pl.col("probabilities").max()).iter_rows())

    assert (most["gender"], most["age"]) == (1, 1)
    assert most["mask"] > 1


def test_bundle_grades_as_the_pipeline_does(ran: Ran, bundle: Path) -> None:
    """One fold's networks say of its photographs, in memory, what the store holds (1e-6)."""
    store, graph = Store(ran.report.parents[1]), ran.graph
    loaded = Bundle.load(bundle)
    root = store.folder(graph.read.inputs["forge"]) / "studies"
    decoded = next(s for s in in_order(graph.goals) if s.stage.name == "decode")
    table = load_predictions(store.folder(graph.predictors["pair"])).frame
    for study in load_dataset(store.folder(graph.read), root).studies[:3]:
        rows = table.filter(pl.col("study") == study.id).sort("target")
        pixels = load_pixels(store.folder(decoded), study)
        found = grade_study(loaded, pixels, fold=rows["fold"][0]).predictions.frame.sort("target")
        stored, said = (np.concatenate(frame["probabilities"].to_list()) for frame in (rows, found))

        assert np.abs(stored - said).max() < 1e-6


def test_any_folder_of_pictures_is_graded(bundle: Path, pictures: Path, tmp_path: Path) -> None:
    """Formats are mixed; what is broken is told with its reason and stops nothing."""
    output = tmp_path / "grades.json"
    told = CliRunner().invoke(app, ["grade", str(bundle), str(pictures), "-o", str(output)])
    said = json.loads(output.read_text())
    graded = {study["study"]: study for study in said["studies"]}

    assert told.exit_code == 0, told.output
    assert {"a.jpg", "b.png", "c.png", "more/d.webp", "e.png"} == {
        name for name, study in graded.items() if study["status"] == "graded"
    }
    assert graded["cut.jpg"]["status"] == "refused"
    assert "words.jpg: not a picture" in told.output
    [unit] = graded["a.jpg"]["units"]
    assert unit["combined"]["class"]["grade"] == " ".join(
        unit["targets"][name]["grade"] for name in ("mask", "gender", "age")
    )


def test_the_page_shows_photographs(bundle: Path, pictures: Path, tmp_path: Path) -> None:
    """The page of graded photographs has a card for each, in colour."""
    command = ["grade", str(bundle), str(pictures), "-o", str(tmp_path / "faces.html")]
    told = CliRunner().invoke(app, command)
    page = (tmp_path / "faces.html").read_text()

    assert told.exit_code == 0, told.output
    assert page.count('<figure class="photo') == 5
    assert "cut.jpg" in page
    assert "StudyInstanceUID" not in page


def test_a_page_without_pictures_is_written(bundle: Path, pictures: Path, tmp_path: Path) -> None:
    """Grades that kept no pictures have a page as well."""
    grades = grade(Bundle.load(bundle), pictures / "a.jpg")
    page = write_grades_page(grades, tmp_path / "page.html").read_text()

    assert "a.jpg" in page
    assert "data:image" not in page


def test_masks_are_laid_over_the_photographs_of_the_data_folder(tmp_path: Path) -> None:
    """A recipe that forges from photographs needs their folder, and its digest is in the key."""
    recipe = read_recipe(small(tmp_path, photos=True))
    data = tmp_path / "photos"
    data.mkdir()
    (data / "labels.csv").write_text("file,age,gender\n")
    before = graph_of(recipe, data, tmp_path / "store")
    (data / "labels.csv").write_text("file,age,gender\na.jpg,20-29,Male\n")
    after = graph_of(recipe, data, tmp_path / "store")

    assert before.read.inputs["forge"].key != after.read.inputs["forge"].key
    with pytest.raises(PlanError, match="forged from photographs: name their folder"):
        graph_of(recipe, None, tmp_path / "store")


@pytest.mark.parametrize("name", ["mask_faces", "mask_fairface", "tiny/mask_faces"])
def test_recipes_read(name: str) -> None:
    """The recipes on faces that ship are whole; their final predictor is one of theirs."""
    recipe = read_recipe(RECIPES / f"{name}.yaml")

    assert recipe.final in {*recipe.members, *recipe.ensembles}
    assert recipe.dataset.use == "mask_faces"
