"""The command line: results on stdout, everything else on stderr, one clear line for an error."""

import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from calling import call

from overread.pipeline import Context, Stage, Step, Store, read_recipe, run_steps
from overread.pipeline.dataset_files import load_dataset  # noqa: F401 - the slow part, once
from overread.shelf import take

TINY = Path(__file__).parents[2] / "recipes" / "tiny" / "lumbar_two_stage.yaml"


@pytest.fixture(scope="session")
def forged(tmp_path_factory) -> Path:
    """One forged study, forged by the command."""
    folder = tmp_path_factory.mktemp("forged") / "studies"
    code, _, stderr = call("forge", "lumbar", folder, "--studies", 1, "--seed", 3)
    assert (code, "1 studies in" in stderr) == (0, True)
    return folder


def _store(folder: Path) -> tuple[Store, Step]:
    def make(task) -> None:
        (task.folder / "number.json").write_text(str(task.step.settings["value"]))

    store = Store(folder)
    for value in (1, 2):
        step = Step(Stage("number", 1, make), "one", {"value": value})
        run_steps([step], store, Context(), listen=lambda _: None)
    return store, step


def test_help_is_fast_because_it_loads_nothing_heavy() -> None:
    """No torch, no polars, no pydicom before a command needs them."""
    code = (
        "import sys, overread.cli\n"
        "heavy = {'torch', 'polars', 'pydicom', 'timm', 'pydantic', 'matplotlib', 'numpy'}\n"
        "sys.stdout.write(' '.join(sorted(heavy & set(sys.modules))))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert loaded.stdout == ""


def test_module_runs_as_the_command() -> None:
    """`python -m overread --version` says name and version."""
    words = [sys.executable, "-m", "overread", "--version"]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout

    assert said.startswith("overread 0.")


def test_help_lists_every_command() -> None:
    """All commands are there, the store's under `store`."""
    _, said, _ = call("--help")
    _, store, _ = call("store", "--help")

    commands = [
        "inspect",
        "forge",
        "score",
        "show",
        "plan",
        "run",
        "bundle",
        "grade",
        "report",
        "demo",
        "store",
    ]
    assert [word for word in commands if f"  {word} " not in said] == []
    assert [word for word in ["ls", "why", "prune", "verify"] if f"  {word} " not in store] == []


def test_inspect_tells_studies_series_and_roles(forged) -> None:
    """As a table for people and as JSON for programs."""
    code, said, _ = call("inspect", forged)
    _, text, _ = call("inspect", forged, "--json")

    assert code == 0
    assert "sagittal_t2" in said
    assert len(json.loads(text)["studies"]) == 1


def test_inspect_of_nothing_is_refused(tmp_path) -> None:
    """One line, exit code 1."""
    code, said, error = call("inspect", tmp_path / "none")

    assert (code, said) == (1, "")
    assert error.endswith("found nothing there, expected a folder of studies\n")


def test_forge_does_not_write_over_anything(forged) -> None:
    """A folder with something in it is refused."""
    code, _, error = call("forge", "lumbar", forged)

    assert code == 1
    assert "is not empty; choose a new folder" in error


def test_forge_of_an_unknown_dataset_names_the_nearest(tmp_path) -> None:
    """A wrong name lists the right ones."""
    code, _, error = call("forge", "rsna_lumbar", tmp_path / "x")

    assert code == 1
    assert 'did you mean "rsna2024_lumbar"?' in error


def test_score_of_a_submission(forged, tmp_path) -> None:
    """The dataset's own metric, with interval and floors, as JSON."""
    module = take("overread.datasets", "rsna2024_lumbar")
    labels = module.read_labels(module.Spec(), forged / "train.csv")
    from overread.scoring import floor_predictions

    table = floor_predictions("floor:prior", module.rubric(module.Spec()), labels, None)
    path = tmp_path / "mine.csv"
    module.submission(module.Spec(), table, complete=False).write_csv(path)
    words = ["score", "rsna2024_lumbar", "--labels", forged / "train.csv", "--predictions", path]
    code, said, _ = call(*words, "--metric", "log_loss", "--bootstrap", 10, "--json")

    assert code == 0
    scores = json.loads(said)
    assert {"value", "low", "high", "n"} <= set(scores["mine"]["log_loss"])
    assert "floor:prior_per_site" in scores
    code, said, _ = call(*words, "--bootstrap", 0)
    assert (code, "rsna2024_lumbar" in said) == (0, True)


def test_score_of_a_missing_table_is_refused(tmp_path) -> None:
    """One line without a traceback."""
    words = ("--labels", tmp_path / "l.csv", "--predictions", tmp_path / "p.csv")
    code, said, error = call("score", "rsna2024_lumbar", *words)

    assert (code, said, len(error.splitlines())) == (1, "", 1)


def test_show_prints_a_recipe_that_reads_back(tmp_path) -> None:
    """All settings, defaults included."""
    code, said, _ = call("show", TINY)
    (tmp_path / "r.yaml").write_text(said)

    assert code == 0
    assert read_recipe(TINY).folds == read_recipe(tmp_path / "r.yaml").folds


def test_show_finds_recipes_by_name() -> None:
    """A recipe that ships needs no path; without a name the recipes are listed."""
    _, listed, _ = call("show")
    code, said, _ = call("show", "tiny/lumbar_two_stage", "--json")

    assert "tiny/lumbar_two_stage" in listed
    assert (code, json.loads(said)["name"]) == (0, "tiny lumbar two stage")


def test_show_schema_is_json() -> None:
    """For editors."""
    code, said, _ = call("show", "--schema")

    assert (code, json.loads(said)["title"]) == (0, "Overread recipe")


def test_unknown_recipe_names_the_nearest() -> None:
    """A wrong name lists the right ones."""
    code, _, error = call("plan", "tiny/lumbar_two_stag")

    assert code == 1
    assert 'did you mean "tiny/lumbar_two_stage"?' in error


def test_plan_as_json_and_as_a_table(tmp_path) -> None:
    """Steps and totals."""
    code, said, _ = call("plan", TINY, "--store", tmp_path, "--json")
    _, shown, _ = call("plan", TINY, "--store", tmp_path)

    assert code == 0
    assert json.loads(said)["totals"]["fold_trainings"] == 8
    assert "0 done" in shown


@pytest.mark.parametrize("command", ["show", "plan", "run"])
def test_a_faulty_recipe_is_one_line_on_stderr(tmp_path, command) -> None:
    """Nothing on stdout, no traceback, exit code 1."""
    path = tmp_path / "r.yaml"
    path.write_text(TINY.read_text().replace("backbone: tiny_conv", "bakbone: tiny_conv", 1))
    code, said, error = call(command, path)

    assert (code, said) == (1, "")
    (line,) = error.splitlines()
    assert line.startswith(f"overread: {path}:")
    assert 'unknown key; did you mean "backbone"?' in line


def test_wrong_usage_is_exit_code_2(tmp_path) -> None:
    """Options that do not exist, or arguments that are missing."""
    assert call("plan")[0] == 2
    assert call("run", TINY, "--epochs", 3)[0] == 2
    assert call("grade", tmp_path, tmp_path, "-o", tmp_path / "x.docx")[0] == 2


def test_bundle_before_the_run_is_refused(tmp_path) -> None:
    """It names what is not finished."""
    code, _, error = call("bundle", TINY, "--store", tmp_path, "-o", tmp_path / "b")

    assert code == 1
    assert "is not finished" in error


def test_grade_without_a_bundle_is_refused(tmp_path) -> None:
    """One line says what is missing."""
    code, said, error = call("grade", tmp_path, tmp_path)

    assert (code, said, len(error.splitlines())) == (1, "", 1)
    assert "bundle.json is missing" in error


def test_store_lists_and_explains(tmp_path) -> None:
    """`ls` and `why`, for people and for programs."""
    _store(tmp_path)
    _, listed, _ = call("store", "ls", "--store", tmp_path, "--json")
    code, said, _ = call("store", "why", "number/one", "--store", tmp_path)

    assert [row["name"] for row in json.loads(listed)] == ["one", "one"]
    assert (code, "number/one: value: 1 -> 2" in said) == (0, True)
    assert call("store", "why", "number/two", "--store", tmp_path)[0] == 1


def test_store_verify_fails_on_damage(tmp_path) -> None:
    """Exit code 1 and the file's name."""
    store, step = _store(tmp_path)
    assert call("store", "verify", "--store", tmp_path)[0] == 0
    (store.folder(step) / "number.json").write_text("9")
    code, _, error = call("store", "verify", "--store", tmp_path)

    assert (code, "the content of number.json has changed" in error) == (1, True)


def test_store_prune_keeps_what_recipes_reach(tmp_path) -> None:
    """Entries of other recipes go; a dry run only tells."""
    store, _ = _store(tmp_path)
    words = ("store", "prune", "--keep", TINY, "--store", tmp_path, "--json")
    _, dry, _ = call(*words, "--dry-run")
    assert (len(json.loads(dry)["removed"]), len(list(store.entries()))) == (2, 2)
    code, _, _ = call(*words)

    assert (code, len(list(store.entries()))) == (0, 0)


def test_public_names_are_loaded_when_they_are_used() -> None:
    """`import overread` promises them without loading them."""
    import overread

    assert "Bundle" in dir(overread)
    assert isinstance(overread.Bundle, type)
    assert pl.DataFrame is not None
    with pytest.raises(AttributeError, match="module overread has no Bundel"):
        _ = overread.Bundel
