"""What a recipe asks about trust: it is found out, shown on the page, and kept in the bundle."""

import json
from pathlib import Path

import polars as pl
import pytest
import yaml
from table_folder import STUDIES, write_recipe, write_tables

from overread.inference import Bundle, join_tables
from overread.pipeline import RecipeError, Store, graph_of, make_bundle, read_recipe, run
from overread.pipeline.stages.report import PAGE
from overread.pipeline.stages.trust import load_thresholds, load_trust
from overread.records import GradeSets

OOF = {"spinal": "spinal", "all_a": "", "all_b": ""}
COSTS = {"normal_mild": [0, 1], "moderate": [1, 1], "severe": [6, 1]}
TRUST = {
    "bootstrap": 40,
    "sets": {"coverage": 0.8},
    "decisions": {"options": ["wait", "refer"], "costs": COSTS},
    "members": True,
    "readers": [
        {
            "targets": ["spinal_canal_stenosis"],
            "metric": {"use": "kappa", "weights": "linear"},
            "low": 0.74,
            "high": 0.86,
            "who": "three readers",
            "source": "a paper",
        }
    ],
}


def written(home: Path, trust: object) -> Path:
    path = write_recipe(home, tuple(OOF))
    content = yaml.safe_load(path.read_text())
    content["ensembles"]["mean"]["weights"] = {"all_a": 2.0}
    content["final"] = "mean"
    path.write_text(yaml.safe_dump({**content, "trust": trust}, sort_keys=False))
    return path


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A recipe that asks everything, run: (recipe, data, store, entry of the trust step)."""
    home = tmp_path_factory.mktemp("trust")
    data = write_tables(home / "data", oof=OOF)
    recipe = read_recipe(written(home, TRUST))
    run(recipe, data, home / "store")
    graph = graph_of(recipe, data, home / "store")
    return recipe, data, home / "store", Store(home / "store").folder(graph.report.inputs["trust"])


def test_every_question_is_answered(ran) -> None:
    """Sets, referral, costs, members and readers are there, for every condition."""
    found = load_trust(ran[3])
    sets = GradeSets(pl.read_parquet(ran[3] / "sets.parquet"))

    assert len(sets) == 25 * len(STUDIES)
    assert set(found.coverage["condition"]) == set(found.costs["condition"].drop_nulls())
    assert set(found.areas["by"]) == {"confidence", "entropy", "set"}
    assert set(found.effects["member"]) == set(OOF)
    assert set(found.effects["kind"]) == {"left out", "alone"}
    assert [one["target"] for one in found.readers[0].ours] == ["spinal_canal_stenosis"]
    assert found.readers[0].metric == "kappa[weights=linear]"
    assert found.nominal == 0.8


def test_the_page_shows_it(ran) -> None:
    """The page of the run has a section for each answer."""
    graph = graph_of(*ran[:3])
    text = (Store(ran[2]).folder(graph.report) / PAGE).read_text()

    for part in ("sets", "referral", "costs", "effects", "readers"):
        assert f'<section class="card" id="{part}">' in text


def test_a_bundle_keeps_the_thresholds(ran, tmp_path) -> None:
    """The bundle has the thresholds that all units with labels taught, and how they are used."""
    make_bundle(*ran[:3], tmp_path / "bundle")
    kept = Bundle.load(tmp_path / "bundle")
    expected = load_thresholds(ran[3])

    assert kept.recipe.sets is not None
    assert kept.recipe.sets.coverage == 0.8
    assert set(expected) == set(kept.thresholds)
    assert "threshold.neural_foraminal_narrowing" in expected
    for name, table in expected.items():
        assert table.tolist() == kept.thresholds[name].tolist()


def test_joined_tables_of_new_studies_are_told_what_to_make_of_them(ran, tmp_path) -> None:
    """Beside the probabilities stand the set of grades and the option that costs least."""
    make_bundle(*ran[:3], tmp_path / "joiner")
    bundle = Bundle.load(tmp_path / "joiner")
    new = write_tables(tmp_path / "new", oof=OOF, seed=7)
    joined = join_tables(bundle, {name: new / "oof" / f"{name}.csv" for name in OOF})
    [sure] = joined.sort("severe", descending=True).head(1).to_dicts()
    sets = joined["set"].str.split(" | ")

    assert joined.columns == ["row_id", *COSTS, "set", "decision"]
    assert joined.null_count().sum_horizontal().item() == 0
    assert set(sets.explode()) <= set(COSTS)
    assert 1 <= sets.list.len().mean() < 3
    assert ("severe" in sure["set"], sure["decision"]) == (True, "refer")
    assert set(joined["decision"]) == {"wait", "refer"}


def test_a_bundle_without_questions_joins_probabilities_alone(tmp_path) -> None:
    """No column is added where nothing was asked."""
    data = write_tables(tmp_path / "data", oof=OOF)
    recipe = read_recipe(written(tmp_path, None))
    run(recipe, data, tmp_path / "store")
    make_bundle(recipe, data, tmp_path / "store", tmp_path / "joiner")
    tables = {name: data / "oof" / f"{name}.csv" for name in OOF}
    joined = join_tables(Bundle.load(tmp_path / "joiner"), tables)

    assert joined.columns == ["row_id", *COSTS]


def test_an_unasked_recipe_has_no_such_step(tmp_path) -> None:
    """Without the key nothing is added to the plan; sets alone need no join."""
    data = write_tables(tmp_path / "data", oof=OOF)
    plain = graph_of(read_recipe(written(tmp_path, None)), data, tmp_path / "store")
    asked = graph_of(read_recipe(written(tmp_path, {"sets": {}})), data, tmp_path / "store")
    step = asked.report.inputs["trust"]

    assert "trust" not in plain.report.inputs
    assert plain.score.key == asked.score.key
    assert {name for name in step.inputs if name.startswith("predictor.")} == set()
    assert json.dumps(step.settings) == json.dumps({"sets": ran_sets()})


def ran_sets() -> dict[str, object]:
    """The settings of sets with all defaults."""
    return {
        "coverage": 0.9,
        "ordered": "cumulative",
        "nominal": "plain",
        "per": "condition",
        "fewest": 50,
        "keep_answer": False,
    }


@pytest.mark.parametrize(
    ("trust", "words"),
    [
        ({"sets": {"coverage": 1.5}}, "trust.sets.coverage.*less than 1"),
        ({"decisions": {"options": ["a", "b"], "costs": {"x": [0, 1], "y": [1, 0]}}}, "no target"),
        ({"decisions": {"options": ["a", "b"], "costs": {"x": [0], "y": [1, 0]}}}, "x has 1 costs"),
        ({"readers": [{**TRUST["readers"][0], "targets": ["spinal"]}]}, "spinal_canal_stenosis"),
        ({"readers": [{**TRUST["readers"][0], "metric": {"use": "kapa"}}]}, 'did you mean "kappa"'),
        ({"readers": [{**TRUST["readers"][0], "low": 0.9}]}, "low is 0.9, above high, 0.86"),
        ({"set": {}}, "set"),
    ],
)
def test_questions_that_cannot_be_answered(tmp_path, trust, words) -> None:
    """Each fault is told with its place before anything runs."""
    with pytest.raises(RecipeError, match=words):
        read_recipe(written(tmp_path, trust))


def test_members_of_no_ensemble(tmp_path) -> None:
    """What members add cannot be asked where the final predictor is a single member."""
    path = written(tmp_path, {"members": True})
    path.write_text(path.read_text().replace("final: mean", "final: all_a"))

    with pytest.raises(RecipeError, match='"all_a" is no ensemble; leave the key out'):
        read_recipe(path)
