"""The tiny recipes of whole studies and of two planes run from end to end."""

import numpy as np
import polars as pl
import pytest
import yaml

from overread.inference import Bundle, grade_study
from overread.pipeline import Store, graph_of, make_bundle, read_recipe, run, shipped_recipes
from overread.pipeline.dataset_files import load_dataset
from overread.pipeline.stages.decode import load_pixels
from overread.pipeline.stages.predict import load_predictions
from overread.pipeline.stages.score import load_differences, load_scores
from overread.pipeline.step import in_order
from overread.shelf import take


def _write_mini(name, folder):
    """Write a tiny recipe for small images, with an epoch a training, for given data."""
    recipe = yaml.safe_load(shipped_recipes()[name].read_text())
    del recipe["dataset"]["forge"]
    recipe["defaults"]["fit"] = {"epochs": 1, "batch": 2}
    for spec in recipe.get("keypoints", {}).values():
        spec |= {"fit": {"epochs": 2, "batch": 2, "lr": 4e-3}, "trust": 0.0, "pixels": [64, 64]}
    recipe |= {"scores": [{"use": "pooled_log_loss"}], "compare": [["all", "floor:prior"]]}
    path = folder / f"{recipe['name'].replace(' ', '_')}.yaml"
    path.write_text(yaml.safe_dump(recipe, sort_keys=False))
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Four phantoms; one of them lacks its T1 series."""
    folder = tmp_path_factory.mktemp("data")
    take("overread.datasets", "rsna2024_lumbar").forge(folder, studies=4, seed=6, style="clean")
    series = pl.read_csv(folder / "train_series_descriptions.csv")
    lost = series.filter(pl.col("series_description") == "Sagittal T1").row(0, named=True)
    for file in (
        folder / "train_images" / f"{lost['study_id']}" / f"{lost['series_id']}"
    ).iterdir():
        file.unlink()
    series.filter(pl.col("series_id") != lost["series_id"]).write_csv(
        folder / "train_series_descriptions.csv"
    )
    return folder


@pytest.mark.parametrize("name", ["tiny/lumbar_stack40", "tiny/lumbar_dual_view"])
def test_runs_and_its_bundle_says_what_the_pipeline_says(name, data, tmp_path) -> None:
    """Every unit is answered, also without a T1 series; grading a study gives its table's rows."""
    path, store = _write_mini(name, tmp_path), tmp_path / "store"
    recipe = read_recipe(path)
    run(recipe, data, store)
    graph, shelf = graph_of(recipe, data, store), Store(store)
    table = load_predictions(shelf.folder(graph.predictors["all"])).frame
    dataset = load_dataset(shelf.folder(graph.read), data)
    decoded = next(step for step in in_order(graph.goals) if step.stage.name == "decode")
    make_bundle(recipe, data, store, tmp_path / "bundle")
    bundle = Bundle.load(tmp_path / "bundle")

    scores = load_scores(shelf.folder(graph.score)).frame
    value = dict(scores.select("predictor", "value").iter_rows())
    difference = load_differences(shelf.folder(graph.score)).frame["value"].to_list()

    assert len(table) == 4 * 25
    assert difference == [pytest.approx(value["all"] - value["floor:prior"])]
    for study in dataset.studies[:2]:
        rows = table.filter(study=study.id).sort("unit", "target")
        pixels = load_pixels(shelf.folder(decoded), study)
        graded = grade_study(bundle, pixels, fold=rows["fold"][0]).predictions.frame
        found = graded.sort("unit", "target")["probabilities"].to_list()
        np.testing.assert_allclose(found, rows["probabilities"].to_list(), atol=1e-6)
