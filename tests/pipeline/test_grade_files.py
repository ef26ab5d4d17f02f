"""Grades written study by study are what they are when written at once; nothing said is lost."""

import io
import json
from dataclasses import replace

import polars as pl
import pytest

from overread.inference import GradedStudy, Grades
from overread.pipeline.grade_files import KINDS, GradesFile, JsonText
from overread.records import Finding, Predictions, Rubric, Target

RUBRIC = Rubric("small", "study", (Target("bulging", ("no", "yes"), (1.0, 1.0), scale="binary"),))
EMPTY = Grades(RUBRIC, "f" * 64, "small recipe", ())


def graded(name, chance):
    """Return a graded study."""
    row = {"unit": name, "study": name, "subject": f"s{name}", "site": None, "target": "bulging"}
    row |= {"probabilities": [1 - chance, chance], "fold": None, "predictor": "a", "role": "new"}
    return GradedStudy(
        name, f"1.2.{name}", f"s{name}", predictions=Predictions(pl.DataFrame([row]))
    )


@pytest.fixture
def parts():
    """Findings of no study, two graded studies, a refused one."""
    stray = Finding("not_an_image", "note", "notes.txt is left out")
    refused = GradedStudy("3", "1.2.3", "s3", refused="it has no series")
    studies = [graded("1", 0.25), graded("2", 0.75), refused]
    return [replace(EMPTY, findings=(stray,)), *(replace(EMPTY, studies=(s,)) for s in studies)]


def test_each_kind_is_written_as_at_once(parts, tmp_path):
    """JSON, CSV, Parquet and the page hold what the joined grades hold."""
    whole = Grades.join(parts)
    for kind in KINDS:
        with GradesFile(tmp_path / f"grades{kind}") as file:
            for part in parts:
                file.add(part)

    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(f"grades{k}" for k in KINDS)
    text = (tmp_path / "grades.json").read_text()
    assert text == json.dumps(whole.to_json(), indent=1) + "\n"
    assert (tmp_path / "grades.csv").read_text() == whole.to_frame().write_csv()
    assert pl.read_parquet(tmp_path / "grades.parquet").equals(whole.to_frame())
    page = (tmp_path / "grades.html").read_text()
    assert all(name in page for name in ("1.2.1", "1.2.2", "it has no series"))


def test_json_of_an_empty_batch():
    """Without studies the brackets are empty, and the findings are there."""
    stray = replace(EMPTY, findings=(Finding("no_files", "note", "empty"),))
    text = io.StringIO()
    written = JsonText(text)
    written.add(stray)
    written.end()

    assert text.getvalue() == json.dumps(stray.to_json(), indent=1) + "\n"


@pytest.mark.parametrize("kind", [".json", ".csv", ".parquet"])
def test_what_was_said_before_a_break_is_kept(parts, tmp_path, kind):
    """The file of another run stays; beside it lies what this one said."""
    path = tmp_path / f"grades{kind}"
    path.write_text("of another run")

    def broken():
        with GradesFile(path) as file:
            for part in parts[:2]:
                file.add(part)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken()

    assert path.read_text() == "of another run"
    part = path.with_name(f"{path.name}.part")
    if kind == ".json":
        assert [one["study"] for one in json.loads(part.read_text())["studies"]] == ["1"]
    else:
        frame = pl.read_csv(part) if kind == ".csv" else pl.read_parquet(part)
        assert [str(one) for one in frame["study"]] == ["1"]


def test_without_a_study_there_is_no_file(parts, tmp_path):
    """An empty batch leaves nothing behind."""
    with GradesFile(tmp_path / "grades.csv") as file:
        file.add(parts[0])

    assert list(tmp_path.iterdir()) == []
