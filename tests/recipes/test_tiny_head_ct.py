"""Both tiny recipes of head CT run from end to end; what folds of rows pretend is told."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml

from overread.auditing import AuditSpec, Tables, audit
from overread.inference import Bundle, GradeSpec, grade, grade_study
from overread.phantoms import forge_head_ct
from overread.pipeline import Ran, Store, graph_of, make_bundle, read_recipe, run, shipped_recipes
from overread.pipeline.audits import tables_of_run
from overread.pipeline.dataset_files import load_dataset
from overread.pipeline.pages import write_grades_page
from overread.pipeline.stages.decode import load_pixels
from overread.pipeline.stages.predict import load_predictions
from overread.pipeline.step import in_order

pytestmark = pytest.mark.slow
NAMES = ("head_ct", "head_ct_sequence")


@pytest.fixture(scope="module")
def recipes(tmp_path_factory) -> dict[str, Path]:
    """As they ship, with a few phantoms and an epoch a training."""
    folder = tmp_path_factory.mktemp("recipes")
    for name in NAMES:
        recipe = yaml.safe_load(shipped_recipes()[f"tiny/{name}"].read_text())
        recipe["dataset"]["forge"]["studies"] = 12
        recipe["defaults"]["fit"]["epochs"] = 1
        for member in recipe["members"].values():
            member.get("fit", {}).update(epochs=1)
        for ensemble in recipe["ensembles"].values():
            ensemble.update({"rounds": 60} if "rounds" in ensemble else {})
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(recipe, sort_keys=False))
    return {name: folder / f"{name}.yaml" for name in NAMES}


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    """One store for both, which share phantoms and a network."""
    return tmp_path_factory.mktemp("heads") / "store"


@pytest.fixture(scope="module")
def ran(recipes: dict[str, Path], store: Path) -> dict[str, Ran]:
    """Both recipes, one after the other."""
    return {name: run(read_recipe(path), None, store) for name, path in recipes.items()}


@pytest.fixture(scope="module")
def bundle(recipes: dict[str, Path], ran: dict[str, Ran], store: Path) -> Bundle:
    """Of the sequence networks and what they read."""
    folder = store.parent / "bundle"
    make_bundle(read_recipe(recipes["head_ct_sequence"]), None, store, folder)
    return Bundle.load(folder)


def test_both_share_phantoms_and_a_slice_network(ran: dict[str, Ran]) -> None:
    """What one has made the other takes."""
    ids = [{step.id for step in in_order(one.graph.goals)} for one in ran.values()]
    shared = {name.partition("-")[0] for name in ids[0] & ids[1]}

    assert {"forge/rsna2019_head_ct", "fit/one.fold0", "fit/one.fold1"} <= shared
    assert "fit/five.fold0" not in shared


def test_folds_of_rows_are_called_a_leak(
    ran: dict[str, Ran], recipes: dict[str, Path], store: Path
) -> None:
    """The report says how the trees were fitted; the audit refuses them, and them alone."""
    recipe = read_recipe(recipes["head_ct"])
    tables = tables_of_run(recipe, None, store)
    graph = graph_of(recipe, None, store)
    said = load_predictions(Store(store).folder(graph.predictors["stack_as_published"]))
    leaky = Tables(tables.rubric, tables.labels, said, tables.folds, tables.members)
    leaks = [
        [one.verdict for one in audit(each, spec=AuditSpec()).suspicions if one.kind == "leak"]
        for each in (tables, leaky)
    ]
    page = (ran["head_ct"].report / "page.html").read_text()

    assert leaks[0] == []
    assert "refuse" in leaks[1]
    assert "stack as published - stack" in page
    assert "fitted with folds of single units" in page


def test_a_bundle_says_what_the_run_said(bundle: Bundle, ran: dict[str, Ran], store: Path) -> None:
    """The networks of a scan's fold, embedding and reading, grade it as the store has it."""
    graph, shelf = ran["head_ct_sequence"].graph, Store(store)
    root = shelf.folder(graph.read.inputs["forge"]) / "studies"
    study = load_dataset(shelf.folder(graph.read), root).studies[0]
    decoded = next(step for step in in_order(graph.goals) if step.stage.name == "decode")
    kept = load_predictions(shelf.folder(graph.predictors["scan"])).frame
    kept = kept.filter(pl.col("study") == study.id).sort("unit", "target")
    pixels = load_pixels(shelf.folder(decoded), study)

    said = grade_study(bundle, pixels, fold=kept["fold"][0]).predictions.frame
    found = said.sort("unit", "target")["probabilities"].explode().to_numpy()

    assert list(bundle.recipe.members) == ["one", "along", "across"]
    np.testing.assert_allclose(found, kept["probabilities"].explode().to_numpy(), atol=1e-5)


def test_new_scans_have_a_page(bundle: Bundle, tmp_path: Path) -> None:
    """Forged elsewhere, with the dirt of archives, they are graded and shown slice by slice."""
    forge_head_ct(tmp_path / "new", num_studies=2, seed=77, style="hospital", pixels=128, workers=1)
    grades = grade(bundle, tmp_path / "new", spec=GradeSpec(pictures=True))
    page = write_grades_page(grades, tmp_path / "page.html").read_text()
    slices = sum(len(one.predictions.frame) // 6 for one in grades.studies)

    assert [one.refused for one in grades.studies] == [None, None]
    assert page.count('<figure class="slice"') == slices
    assert page.count("data:image/jpeg") == 2 * slices
