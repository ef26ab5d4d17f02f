"""A whole recipe on forged studies: files to scores, killed and resumed, bundled and graded."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from fake_stages import ignore
from tiny_runs import STUDIES, forge, mini, write_recipe

from overread.inference import Bundle, grade_study
from overread.pipeline import (
    Ran,
    Store,
    graph_of,
    graphs_in_store,
    make_bundle,
    prune,
    run,
    run_steps,
)
from overread.pipeline.dataset_files import load_dataset, save_dataset
from overread.pipeline.demo import DemoSpec, run_demo
from overread.pipeline.stages.decode import load_pixels
from overread.pipeline.stages.locate import load_located
from overread.pipeline.stages.predict import load_predictions
from overread.pipeline.step import Context, in_order

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def data(tmp_path_factory) -> Path:
    """Six forged studies."""
    return forge(tmp_path_factory.mktemp("data") / "studies")


@pytest.fixture(scope="session")
def ran(data, tmp_path_factory) -> Ran:
    """A finished run on them."""
    folder = tmp_path_factory.mktemp("run")
    return run(mini(folder), data, folder / "store")


def _store(ran: Ran) -> Store:
    return Store(ran.report.parents[1])


def _result_hashes(store: Store) -> dict[str, str]:
    """Return the hash of every network and table of predictions."""
    return {
        f"{entry.id}/{name}": known["sha256"]
        for entry in store.entries()
        for name, known in entry.manifest.files.items()
        if name in {"network.safetensors", "predictions.parquet", "points.parquet"}
    }


def test_everything_is_scored_against_its_floors(ran) -> None:
    """Members, ensemble and floors have a score with an interval."""
    scores = ran.to_json()["scores"]

    assert {"average", "shared", "mean", "floor:prior"} <= set(scores)
    assert {"value", "low", "high", "n"} <= set(scores["mean"]["log_loss"])
    assert {"made"} == {result.state for result in ran.results}


def test_a_second_run_makes_nothing(ran, data) -> None:
    """Every step is kept, and the log says so."""
    again = run(ran.graph.recipe, data, _store(ran).root)

    assert {"kept"} == {result.state for result in again.results}
    assert ran.scores.frame.equals(again.scores.frame)


def test_every_study_is_located_and_graded_by_others_networks(ran) -> None:
    """Fold of points and predictions is the fold in which the subject is held out."""
    store, graph = _store(ran), ran.graph
    dataset = load_dataset(store.folder(graph.read), Path())
    folds = dict(
        zip(
            *pl.read_parquet(store.folder(graph.folds) / "folds.parquet").get_columns(), strict=True
        )
    )
    subjects = {study.id: study.subject for study in dataset.studies}

    for step in graph.located.values():
        located = load_located(store.folder(step))
        assert {s: folds[subjects[s]] for s in located} == {s: p.fold for s, p in located.items()}
    for step in graph.predictors.values():
        table = load_predictions(store.folder(step)).frame
        assert {"oof"} == set(table["role"])
        assert table["fold"].to_list() == [folds[subject] for subject in table["subject"]]
        assert table["unit"].n_unique() == STUDIES * 5


def test_bundle_grades_as_the_pipeline_does(ran, data, tmp_path) -> None:
    """One fold's networks say of its studies, in memory, what the store holds (1e-6)."""
    store, graph = _store(ran), ran.graph
    make_bundle(graph.recipe, data, store.root, tmp_path / "bundle")
    bundle = Bundle.load(tmp_path / "bundle")
    dataset = load_dataset(store.folder(graph.read), data)
    decoded = next(s for s in in_order(graph.goals) if s.stage.name == "decode")
    table = load_predictions(store.folder(graph.predictors["mean"])).frame

    for study in dataset.studies[:2]:
        rows = table.filter(pl.col("study") == study.id).sort("unit", "target")
        pixels = load_pixels(store.folder(decoded), study)
        graded = grade_study(bundle, pixels, fold=rows["fold"][0])
        found = graded.predictions.frame.sort("unit", "target")
        assert rows["unit"].to_list() == found["unit"].to_list()
        difference = np.abs(_values(rows) - _values(found))
        assert difference.max() < 1e-6


def _values(rows: pl.DataFrame) -> np.ndarray:
    return np.array(rows["probabilities"].to_list())


def test_killed_anywhere_a_run_ends_with_the_same_bits(ran, data, tmp_path) -> None:
    """Kill -9 at several moments; networks, points and predictions equal the undisturbed run's."""
    recipe, store = write_recipe(tmp_path), Store(tmp_path / "store")
    command = [sys.executable, "-m", "overread", "run", recipe, "--data", data]
    command += ["--store", store.root, "--workers", "1", "--jobs", "1"]
    for stage in ("decode", "locate_fit", "fit"):
        driver = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 120
        while not list(store.root.glob(f"{stage}/*.partial/*")) and time.monotonic() < end:
            if driver.poll() is not None:
                break
            time.sleep(0.02)
        os.kill(driver.pid, signal.SIGKILL)
        driver.wait()
    ended = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (ended.returncode, "" if not ended.returncode else ended.stderr) == (0, "")
    assert _result_hashes(_store(ran)) == _result_hashes(store)


def test_a_broken_study_is_set_aside_and_told(data, tmp_path) -> None:
    """Its files are no images any more; the run goes on with the others."""
    shutil.copytree(data, tmp_path / "data")
    broken = min((tmp_path / "data" / "train_images").iterdir())
    for image in broken.rglob("*.dcm"):
        content = image.read_bytes()
        image.write_bytes(content[: len(content) // 2])
    recipe = mini(tmp_path).model_copy(update={"max_broken": 0.5})
    results = run_steps(
        [graph_of(recipe, tmp_path / "data", tmp_path / "store").predictors["mean"]],
        Store(tmp_path / "store"),
        Context(data=tmp_path / "data", max_broken=0.5),
        listen=ignore,
    )
    told = {study for result in results for study in result.broken}
    table = load_predictions(Store(tmp_path / "store").folder(results[-1].step)).frame

    assert {broken.name} == told
    assert broken.name not in set(table["study"])


def test_a_dataset_on_disk_reads_back_the_same(ran, data, tmp_path) -> None:
    """Studies, planes, labels, points and findings survive the store."""
    first = load_dataset(_store(ran).folder(ran.graph.read), data)
    (tmp_path / "again").mkdir()
    save_dataset(tmp_path / "again", first, data)
    second = load_dataset(tmp_path / "again", data)

    assert [replace(s, series=()) for s in first.studies] == [
        replace(s, series=()) for s in second.studies
    ]
    assert first.findings == second.findings
    assert first.labels.frame.equals(second.labels.frame)
    assert set(first.keypoints) == set(second.keypoints)
    for one, other in zip(first.studies, second.studies, strict=True):
        assert [s.role for s in one.series] == [s.role for s in other.series]
        for series, again in zip(one.series, other.series, strict=True):
            assert series.frames == again.frames
            assert np.allclose(series.planes.origin, again.planes.origin, atol=0)


def test_prune_keeps_the_run_of_a_recipe_without_its_data(ran, tmp_path) -> None:
    """The data's digest stands in the store, so the data need not be there."""
    store = _store(ran)
    kept = [goal for graph in graphs_in_store(ran.graph.recipe, store) for goal in graph.goals]

    assert prune(store, kept, dry=True) == []
    gone = {str(path.relative_to(store.root)) for path in prune(store, [], dry=True)}
    assert gone == {entry.id for entry in store.entries()}


def test_the_demo_ends_with_a_summary_and_a_page(tmp_path) -> None:
    """Scores of studies that no network has seen, floors, distances, seconds; repeatable."""
    path = write_recipe(tmp_path, forged=4)
    spec = DemoSpec(recipe=str(path), studies=2, shown=1)
    summary = run_demo(tmp_path / "demo", workers=1, listen=ignore, spec=spec)
    again = run_demo(tmp_path / "demo", workers=1, listen=ignore, spec=spec)

    for name in ("score", "terms", "floors", "keypoint_error_mm", "seconds", "peak_memory_mb"):
        assert name in summary
    assert {"discs", "canal"} == set(summary["keypoint_error_mm"])
    assert summary["studies"] == {"trained": 4, "graded": 2, "refused": 0}
    assert Path(summary["page"]).read_text().startswith("<!doctype html>")
    assert json.loads((tmp_path / "demo" / "summary.json").read_text())["score"] == summary["score"]
    assert (summary["score"], summary["terms"]) == (again["score"], again["terms"])
