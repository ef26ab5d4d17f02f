"""Pseudo-labels of scans from elsewhere: who labels them, who learns from them, who must not."""

import polars as pl
import pytest
from safetensors.numpy import load_file

from overread.learning import label_strangers
from overread.phantoms import forge_head_ct
from overread.pipeline import RecipeError, Store, graph_of, read_recipe, run
from overread.records import Labels, Predictions, RecordError

RECIPE = """
recipe: 1
name: strangers
about: {source: s, hardware: h, hours: 0.01, expected: e, command: c}
dataset: {use: rsna2019_head_ct}
external:
  elsewhere: {use: rsna2019_head_ct, labels: "", images: elsewhere}
folds: {count: 2, seed: 0}
views:
  near: {series: ct, windows: [brain], channels: [[0]], pixels: [16, 16], margin: 1}
defaults:
  views: [near]
  mirror: none
  model: {use: stack_channels, backbone: tiny_conv}
  fit: {epochs: 1, batch: 16, lr: 1.0e-3}
members:
  teacher: {}
  pupil: {labels: told}
pseudo:
  told: {sources: [{of: [teacher]}], external: [elsewhere]}
final: pupil
ensembles: {}
scores: [{use: rsna2019_head_ct}]
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A run on four scans with labels, and two from elsewhere."""
    home = tmp_path_factory.mktemp("strangers")
    forge_head_ct(home / "data", num_studies=4, seed=1, pixels=128, workers=1)
    forge_head_ct(home / "other", num_studies=2, seed=9, pixels=128, workers=1)
    (home / "other" / "stage_2_train").rename(home / "data" / "elsewhere")
    path = home / "recipe.yaml"
    path.write_text(RECIPE)
    recipe = read_recipe(path)
    run(recipe, home / "data", home / "store")
    return graph_of(recipe, home / "data", home / "store"), Store(home / "store")


def test_each_fold_learns_from_its_own_teacher(ran) -> None:
    """All external slices get six soft labels; those of two folds differ, as their teachers do."""
    graph, shelf = ran
    told = [
        pl.read_parquet(shelf.folder(step.inputs["labels"]) / "labels.parquet")
        for step in graph.fits["pupil"].values()
    ]
    pseudo = [one.filter(origin="pseudo").sort("unit", "target") for one in told]

    assert len(pseudo[0]) == len(pseudo[1]) > 2 * 24 * 6 - 1
    assert pseudo[0]["unit"].equals(pseudo[1]["unit"])
    assert not pseudo[0]["probabilities"].equals(pseudo[1]["probabilities"])
    assert (
        pseudo[0]
        .select(pl.col("probabilities").list.get(1).is_between(0, 1, "none"))
        .to_series()
        .all()
    )


def test_pupils_learn_from_strangers_and_are_not_scored_on_them(ran) -> None:
    """The pupil's weights differ from its teacher's; answers are of the labelled scans alone."""
    graph, shelf = ran
    weights = [
        load_file(shelf.folder(graph.fits[name][0]) / "network.safetensors")
        for name in ("teacher", "pupil")
    ]
    answers = pl.read_parquet(shelf.folder(graph.predictors["pupil"]) / "predictions.parquet")

    assert any((weights[0][key] != weights[1][key]).any() for key in weights[0])
    assert answers["study"].n_unique() == 4


def rows(subject: str, origin: str) -> pl.DataFrame:
    """A row of a table."""
    return pl.DataFrame(
        {
            "unit": [f"u{subject}"],
            "study": [f"s{subject}"],
            "subject": [subject],
            "site": ["1/0001"],
            "target": ["any"],
            "probabilities": [[0.5, 0.5]],
            "weight": [1.0],
            "origin": [origin],
        }
    )


def test_a_patient_of_ones_own_is_no_stranger() -> None:
    """An external dataset that shows a labelled patient is refused: no fold could hold it out."""
    own = Labels(rows("ann", "truth"))
    extra = {"fold": pl.lit(0, pl.Int64), "predictor": pl.lit("t"), "role": pl.lit("new")}
    said = Predictions(rows("ann", "truth").drop("weight", "origin").with_columns(**extra))
    other = Predictions(rows("bob", "truth").drop("weight", "origin").with_columns(**extra))

    assert label_strangers(own, [other]).frame["origin"].to_list() == ["truth", "pseudo"]
    with pytest.raises(RecordError, match=r"1 subjects of an external dataset.*such as ann"):
        label_strangers(own, [said])


def test_an_unknown_external_dataset_is_told(tmp_path) -> None:
    """With line and nearest name."""
    path = tmp_path / "wrong.yaml"
    path.write_text(RECIPE.replace("external: [elsewhere]}", "external: [elsewere]}"))

    with pytest.raises(RecipeError, match='no external dataset "elsewere"; did you mean'):
        read_recipe(path)
