"""Members that are tables are scored, joined, bundled and applied like those that are networks."""

from pathlib import Path

import polars as pl
import pytest
from table_folder import LUMBAR, STUDIES, write_recipe, write_tables

from overread.inference import Bundle, BundleError, grade, join_tables, tables_by_member
from overread.pipeline import (
    RecipeError,
    RunError,
    Store,
    graph_of,
    make_bundle,
    read_recipe,
    resolved_recipe,
    run,
)
from overread.pipeline.stages.predict import load_predictions

OOF = {"spinal": "spinal", "all_a": "", "all_b": ""}
NAMES = tuple(OOF)


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A recipe of tables, run: (recipe, data, store, result)."""
    home = tmp_path_factory.mktemp("tables")
    data = write_tables(home / "data", oof=OOF)
    recipe = read_recipe(write_recipe(home, NAMES))
    return recipe, data, home / "store", run(recipe, data, home / "store")


def test_every_table_and_ensemble_is_scored(ran) -> None:
    """Two tables joined are better than each, and the folds are those of the table."""
    recipe, data, store, result = ran
    value = {
        row["predictor"]: row["value"]
        for row in result.scores.frame.iter_rows(named=True)
        if row["target"] is None and row["slice"] is None
    }
    graph = graph_of(recipe, data, store)
    said = load_predictions(Store(store).folder(graph.predictors["warm"])).frame

    assert {*NAMES, "mean", "warm"} <= set(value)
    assert value["mean"] < min(value["all_a"], value["all_b"])
    assert {(study, int(study) % 100 % 3) for study in STUDIES} == set(
        said.select("study", "fold").iter_rows()
    )
    assert len(said) == 25 * len(STUDIES)


def test_such_a_recipe_has_no_step_that_looks_at_images(ran) -> None:
    """Nothing is decoded, located, cut or trained."""
    stages = {result.step.stage.name for result in ran[3].results}

    assert {"read", "folds", "table", "join", "score", "report"} == stages


def test_a_resolved_recipe_of_tables_reads_again(ran, tmp_path) -> None:
    """What `show` prints is the same recipe."""
    path = tmp_path / "again.yaml"
    path.write_text(resolved_recipe(ran[0]))

    assert read_recipe(path).tables == ran[0].tables
    assert read_recipe(path).folds == ran[0].folds


def test_a_bundle_joins_tables_of_new_studies(ran, tmp_path) -> None:
    """New tables are joined by what was learnt from all old ones: a temperature a target."""
    recipe, data, store, _ = ran
    make_bundle(recipe, data, store, tmp_path / "joiner")
    bundle = Bundle.load(tmp_path / "joiner")
    new = write_tables(tmp_path / "new", oof=OOF, seed=7)
    joined = join_tables(bundle, {name: new / "oof" / f"{name}.csv" for name in NAMES})
    sums = joined.select(pl.sum_horizontal("normal_mild", "moderate", "severe"))

    assert len(joined) == 25 * len(STUDIES)
    assert sums.to_series().to_list() == pytest.approx([1.0] * len(joined))
    assert {f"temperature.{one}" for one in bundle.rubric.names} == set(bundle.joiners["warm"])
    assert LUMBAR.read_submission(LUMBAR.Spec(), joined, "x").frame["study"].n_unique() == 24


def test_tables_find_their_member(ran, tmp_path) -> None:
    """By name, by the name of the file in the recipe, or not at all."""
    recipe, data, store, _ = ran
    make_bundle(recipe, data, store, tmp_path / "joiner")
    bundle = Bundle.load(tmp_path / "joiner")

    found = tables_by_member(bundle, ["spinal=new.csv", "there/all_a.csv.gz"])
    assert found == {"spinal": Path("new.csv"), "all_a": Path("there/all_a.csv.gz")}
    with pytest.raises(BundleError, match='did you mean "spinal"'):
        tables_by_member(bundle, ["spinel.csv"])
    with pytest.raises(BundleError, match="second table of spinal"):
        tables_by_member(bundle, ["spinal.csv", "spinal=b.csv"])
    with pytest.raises(BundleError, match="found no table of all_b, expected one of each"):
        join_tables(bundle, found)
    with pytest.raises(BundleError, match="use `overread join`"):
        grade(bundle, tmp_path)


def test_a_table_about_other_studies_is_refused(tmp_path) -> None:
    """A table whose ids are written otherwise would be scored on nothing."""
    data = write_tables(tmp_path / "data", oof={"a": ""})
    table = data / "oof" / "a.csv"
    table.write_text(table.read_text().replace("\n1", "\nx1"))

    with pytest.raises(RunError, match="says nothing of any labelled unit, its first is x100@"):
        run(read_recipe(write_recipe(tmp_path, ("a",))), data, tmp_path / "store")


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("oof/a.csv", "/oof/a.csv", 'members.a.table: found "/oof/a.csv", expected a file below'),
        ("table: oof/a.csv", "table: 3", "members.a.table: found 3 (a number), expected a word"),
        ("table: oof", "rol: 1\n    table: oof", "members.a.rol: unknown key"),
    ],
)
def test_faults_of_a_table_are_told_where_they_stand(tmp_path, old, new, line) -> None:
    """With the keys of a table, not those of a network."""
    path = write_recipe(tmp_path, ("a",))
    path.write_text(path.read_text().replace(old, new, 1))

    with pytest.raises(RecipeError) as refusal:
        read_recipe(path)
    assert any(line in one for one in refusal.value.lines)


def test_networks_need_a_number_of_folds(tmp_path) -> None:
    """A table tells its folds when it is read, which is too late for a plan of trainings."""
    path = write_recipe(tmp_path, ("a",))
    path.write_text(path.read_text().replace("members:", "members:\n  b: {views: [v]}"))

    with pytest.raises(
        RecipeError, match=r"folds\.count: is missing; networks are trained by fold"
    ):
        read_recipe(path)
