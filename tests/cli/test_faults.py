"""What people get wrong at the command line is told in a clear line, before work is wasted."""

import json
from types import SimpleNamespace

import polars as pl
import pytest
from calling import call

import overread.inference
from overread.datasets import rsna2024_lumbar as lumbar
from overread.datasets.lumbar_rows import COLUMNS, RUBRIC
from overread.inference import GradedStudy, Grades
from overread.pipeline import Context, Stage, Step, Store, run_steps
from overread.pipeline.store import write_json
from overread.records import Finding

GRADES = ("Normal/Mild", "Moderate", "Severe")
JUNK = Finding("not_an_image", "refuse", "a.txt: found no image")


@pytest.fixture
def tables(tmp_path):
    """Labels of four studies, and a complete table of predictions."""
    rows = [
        {"study_id": study, **{name: GRADES[(study + at) % 3] for at, name in enumerate(COLUMNS)}}
        for study in range(1, 5)
    ]
    pl.DataFrame(rows).write_csv(tmp_path / "train.csv")
    ids = [lumbar.row_id(str(study), *one) for study in range(1, 5) for one in COLUMNS.values()]
    numbers = {"normal_mild": 0.5, "moderate": 0.3, "severe": 0.2}
    frame = pl.DataFrame({"row_id": ids}).with_columns(
        pl.lit(value).alias(name) for name, value in numbers.items()
    )
    frame.write_csv(tmp_path / "mine.csv")
    return tmp_path


def _score(folder, *more) -> tuple[int, str, str]:
    words = ("--labels", folder / "train.csv", "--predictions", folder / "mine.csv")
    return call("score", "lumbar", *words, "--metric", "log_loss", "--bootstrap", 0, *more)


def test_score_of_a_complete_table_warns_of_nothing(tables) -> None:
    """Nothing on stderr, zeros in the JSON."""
    code, said, error = _score(tables, "--json")

    assert (code, error) == (0, "")
    assert (json.loads(said)["unpredicted"], json.loads(said)["unlabelled"]) == (0, 0)


def test_score_tells_rows_that_only_one_table_has(tables) -> None:
    """One line with both counts and the first of each; the counts in the JSON; exit code 0."""
    frame = pl.read_csv(tables / "mine.csv")
    stranger = frame[:1].with_columns(row_id=pl.lit("99_spinal_canal_stenosis_l1_l2"))
    pl.concat([frame[10:], stranger]).write_csv(tables / "mine.csv")
    code, said, error = _score(tables, "--json")

    assert (code, len(error.splitlines())) == (0, 1)
    assert "10 labelled rows have no prediction, the first is 1@L1/L2, spinal_canal" in error
    assert "1 predictions have no label, the first is 99@L1/L2, spinal_canal_stenosis" in error
    assert (json.loads(said)["unpredicted"], json.loads(said)["unlabelled"]) == (10, 1)


def test_score_tells_a_target_that_is_nowhere_predicted(tables) -> None:
    """A table of some conditions is scored on these, and the others are named."""
    frame = pl.read_csv(tables / "mine.csv")
    frame.filter(~pl.col("row_id").str.contains("canal")).write_csv(tables / "mine.csv")
    code, _, error = _score(tables)

    assert (code, "nothing is predicted of spinal_canal_stenosis" in error) == (0, True)


def test_score_of_a_folder_is_refused(tables) -> None:
    """The line says that it is a folder."""
    (tables / "mine.csv").unlink()
    (tables / "mine.csv").mkdir()
    code, _, error = _score(tables)

    assert (code, "mine.csv: found a folder, expected a table" in error) == (1, True)


def test_forge_into_a_file_is_refused(tmp_path) -> None:
    """One line, also below a file; a negative seed is wrong usage."""
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        code, _, error = call("forge", "lumbar", folder)
        assert code == 1
        assert f"overread: {tmp_path / 'file'}: found a file, expected a new folder\n" == error
    assert call("forge", "lumbar", tmp_path / "x", "--seed", -1)[0] == 2


@pytest.fixture
def graded(monkeypatch):
    """Grading that finds no study, and counts its calls."""
    calls = []

    def grade(bundle, path, **_):
        calls.append((bundle, path))
        yield Grades(RUBRIC, "0" * 64, "fake", (), (JUNK,) * 30)

    monkeypatch.setattr(overread.inference, "grade_parts", grade)
    bundle = SimpleNamespace(load=lambda *_, **__: None)
    monkeypatch.setattr(overread.inference, "Bundle", bundle)
    monkeypatch.setattr("overread.inference.engines.cached_bundle", lambda *_, **__: None)
    return calls


def test_grade_without_a_study_fails_and_says_why(graded, tmp_path) -> None:
    """The first findings on stderr, then what was expected; nothing is written."""
    code, _, error = call("grade", tmp_path, tmp_path, "-o", tmp_path / "x.json")

    assert (code, len(graded), (tmp_path / "x.json").exists()) == (1, 1, False)
    assert error.count("refuse: a.txt: found no image") == 20
    assert "and 10 more findings" in error
    assert f"overread: found no study in {tmp_path}; expected" in error


def test_grade_without_a_study_still_writes_json_to_stdout(graded, tmp_path) -> None:
    """Programs get the findings, and the exit code."""
    code, said, _ = call("grade", tmp_path, tmp_path, "--json")

    assert (code, len(graded), len(json.loads(said)["findings"])) == (1, 1, 30)


def test_grade_says_where_answers_of_a_broken_batch_are(graded, monkeypatch, tmp_path) -> None:
    """Studies that were graded before the disk was pulled out are kept, and that is said."""

    def grade(*_, **__):
        refused = GradedStudy("7", "1.2", "p", refused="it has no series")
        yield Grades(RUBRIC, "0" * 64, "fake", (refused,))
        raise OSError("the disk is gone")

    monkeypatch.setattr(overread.inference, "grade_parts", grade)
    code, _, error = call("grade", tmp_path, tmp_path, "-o", tmp_path / "x.json")

    assert (code, (tmp_path / "x.json").exists()) == (1, False)
    assert f"broken off: 1 studies are in {tmp_path / 'x.json.part'}" in error
    kept = json.loads((tmp_path / "x.json.part").read_text())
    assert [one["reason"] for one in kept["studies"]] == ["it has no series"]


def test_grade_looks_where_it_writes_before_it_grades(graded, tmp_path) -> None:
    """A folder that cannot be made, or a folder as the file, is refused at once."""
    (tmp_path / "file").write_text("")
    (tmp_path / "x.json").mkdir()
    for output, words in [("file/x.json", "cannot be made"), ("x.json", "found a folder")]:
        code, _, error = call("grade", tmp_path, tmp_path, "-o", tmp_path / output)
        assert (code, words in error, graded) == (1, True, [])
    call("grade", tmp_path, tmp_path, "-o", tmp_path / "no" / "dir" / "x.json")

    assert (tmp_path / "no" / "dir").is_dir()


@pytest.mark.parametrize("words", [("ls",), ("verify",), ("prune", "--keep", "r.yaml")])
@pytest.mark.parametrize("name", ["none", "file", "empty"])
def test_what_is_no_store_is_refused(tmp_path, words, name) -> None:
    """A missing folder, a file and a folder that no run has written to: one line, exit code 1."""
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    code, said, error = call("store", *words, "--store", tmp_path / name)

    assert (code, said, len(error.splitlines())) == (1, "", 1)
    assert f"{tmp_path / name}: found" in error


def test_run_into_a_file_is_refused(tmp_path) -> None:
    """The store of a run must be, or become, a folder."""
    (tmp_path / "file").write_text("")
    code, _, error = call("run", "tiny/lumbar_two_stage", "--store", tmp_path / "file")

    assert code == 1
    assert f"overread: {tmp_path / 'file'}: found a file, expected the folder of a store" in error


def test_ls_skips_and_names_a_manifest_that_does_not_read(tmp_path) -> None:
    """The other entries are listed."""
    store = Store(tmp_path)
    stage = Stage("number", 1, lambda task: write_json(task.folder / "x.json", 1))
    steps = [Step(stage, name, {}) for name in ("one", "two")]
    run_steps(steps, store, Context(), listen=lambda _: None)
    (store.folder(steps[0]) / "manifest.json").write_text("{")
    code, said, error = call("store", "ls", "--store", tmp_path, "--json")

    assert (code, [row["name"] for row in json.loads(said)]) == (0, ["two"])
    assert error.startswith("skipped: number/one-")
