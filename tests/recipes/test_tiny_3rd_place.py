"""The whole published system runs from end to end in small, and goes on after it was killed."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest
import yaml

from overread.inference import Bundle
from overread.pipeline import Store, graph_of, make_bundle, read_recipe, run, shipped_recipes

SCRIPT = """
import sys
from pathlib import Path
from overread.pipeline import read_recipe, run
run(read_recipe(Path(sys.argv[1])), None, Path(sys.argv[2]))
"""
PATIENCE_S = 600


def write_mini(folder: Path) -> Path:
    """Write the tiny recipe for six studies, with an epoch a training."""
    recipe = yaml.safe_load(shipped_recipes()["tiny/lumbar_3rd_place"].read_text())
    recipe["dataset"]["forge"]["studies"] = 6
    recipe["kinds"]["sagittal"] |= {"pixels": [64, 64], "trust": 0.0}
    for kind in ("sagittal", "axial"):
        recipe["kinds"][kind]["fit"] = {"epochs": 1, "batch": 2, "lr": 2e-3}
    for spec in recipe["keypoints"].values():
        spec.pop("fit", None)
    recipe["defaults"]["fit"] = {"epochs": 1, "batch": 4}
    recipe["scores"] = [{"use": "log_loss"}]
    path = folder / "mini.yaml"
    path.write_text(yaml.safe_dump(recipe, sort_keys=False))
    return path


def kill_when(process: subprocess.Popen[bytes], folder: Path) -> None:
    """Kill a run as soon as something lies in a folder of its store."""
    started = time.monotonic()
    while not (folder.is_dir() and any(folder.iterdir())):
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() - started < PATIENCE_S
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.fixture(scope="module")
def resumed(tmp_path_factory):
    """A run that was killed when its first grader began, and then ended.

    Returns:
        The recipe's file, the store, and {step: state} of the second run.
    """
    home = tmp_path_factory.mktemp("tiny")
    path, store = write_mini(home), home / "store"
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(path), str(store)])
    kill_when(process, store / "fit")
    results = run(read_recipe(path), None, store).results
    return path, store, {result.step.label: result.state for result in results}


def test_what_was_finished_before_the_kill_is_kept(resumed) -> None:
    """Forging, reading and the networks of all generations of locators are not made again."""
    states = resumed[2]

    assert (states["forge/rsna2024_lumbar"], states["read/rsna2024_lumbar"]) == ("kept", "kept")
    trained = [state for label, state in states.items() if label.startswith("locate_fit/")]
    assert (set(trained), len(trained)) == ({"kept"}, 12)
    assert states["fit/side_v3.fold0"] == "made"
    assert "fit/side_v3.fold1" not in states


def test_pseudo_labels_of_a_fold_hold_no_answer_about_it(resumed) -> None:
    """Honest teachers of fold 0 fill cells of the other fold alone; published ones fill all."""
    path, store, _ = resumed
    graph, shelf = graph_of(read_recipe(path), None, store), Store(store)
    folds = pl.read_parquet(shelf.folder(graph.folds) / "folds.parquet")
    honest = graph.fits["side_v1"][0].inputs["labels"]
    labels = pl.read_parquet(shelf.folder(honest) / "labels.parquet").join(folds, on="subject")
    filled = labels.filter(origin="pseudo")

    assert filled.filter(fold=0).is_empty()
    assert labels.filter(fold=1)["probabilities"].null_count() == 0


def test_the_bundle_holds_the_networks_for_new_studies(resumed, tmp_path) -> None:
    """Five that locate, nine that grade; a joint locator asks those of its parts."""
    path, store, _ = resumed
    make_bundle(read_recipe(path), None, store, tmp_path / "bundle")
    bundle = Bundle.load(tmp_path / "bundle")

    assert len(bundle.locator_networks("discs")) == 3
    assert len(bundle.locator_networks("canal")) == 2
    assert sum(len(bundle.member_networks(name)) for name in bundle.recipe.members) == 9
