"""Grades as JSON and as a table: complete, plain, and without names or paths."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from overread.inference import GradedStudy, Grades, Seen
from overread.records import Finding, Frame, Keypoints, Planes, Predictions, Rubric, Target

RUBRIC = Rubric(
    "mixed",
    "site",
    (
        Target("narrowing", ("none", "mild", "severe"), (1.0, 2.0, 4.0)),
        Target("bulging", ("no", "yes"), (1.0, 1.0), scale="binary"),
    ),
    ("disc1", "disc2"),
)


def predictions(rows):
    """Return the table of (site, target, probabilities) of study "7"."""
    return Predictions(
        pl.DataFrame(
            [
                {
                    "unit": f"7@{site}",
                    "study": "7",
                    "subject": "p",
                    "site": site,
                    "target": target,
                    "probabilities": probabilities,
                    "fold": None,
                    "predictor": "final",
                    "role": "new",
                }
                for site, target, probabilities in rows
            ]
        )
    )


def seen():
    """Return a view of two slots, one of them empty."""
    planes = Planes.of_images([(10, 12), (10, 12)], (0.5, 0.5))
    frames = (Frame(Path("/secret/Doe^Jane.dcm"), "1.2.3", 4), None)
    return Seen("near", frames, planes, np.array([1.5, 0.0], np.float32))


@pytest.fixture
def study():
    """A graded study with all kinds of evidence."""
    ends = np.array([[[0.0, 1, 2], [0, 3, 4]]])
    points = Keypoints(
        ("disc1",), np.array([[1.0, 2, 3]]), np.array([0.75]), "network", None, ends, turned=True
    )
    return GradedStudy(
        "7",
        "1.2.840",
        "p",
        findings=(
            Finding("decode_failed", "refuse", "left out", file="/secret/Doe^Jane.dcm"),
            Finding("decode_failed", "refuse", "another"),
            Finding("out_of_range", "note", "odd"),
        ),
        keypoints={"discs": points},
        predictions=predictions(
            [
                ("disc1", "narrowing", [0.1, 0.2, 0.7]),
                ("disc1", "bulging", [0.5, 0.5]),
                ("disc2", "narrowing", [0.8, 0.1, 0.1]),
            ]
        ),
        seen={"7@disc1": (seen(),)},
    )


@pytest.fixture
def grades(study):
    """A batch of a graded and a refused study."""
    refused = GradedStudy("8", "1.2.841", "q", refused="it has no series")
    stray = Finding("not_an_image", "note", "notes.txt is left out", file="/secret/notes.txt")
    return Grades(RUBRIC, "f" * 64, "mixed recipe", (study, refused), (stray,))


def test_json_is_plain(grades):
    """The JSON survives a round trip and names its layout, bundle, recipe and scales."""
    content = json.loads(json.dumps(grades.to_json()))

    assert content == grades.to_json()
    assert content["layout"] == 1
    assert content["bundle"] == "f" * 64
    assert content["recipe"] == "mixed recipe"
    assert content["grades"] == {"narrowing": ["none", "mild", "severe"], "bulging": ["no", "yes"]}


def test_json_tells_answers_by_name(grades):
    """Each answer has its grade, its confidence and a probability by grade."""
    units = grades.to_json()["studies"][0]["units"]
    first = {unit["unit"]: unit for unit in units}["7@disc1"]

    assert first["site"] == "disc1"
    assert first["targets"]["narrowing"]["grade"] == "severe"
    assert first["targets"]["narrowing"]["probabilities"] == {
        "none": 0.1,
        "mild": 0.2,
        "severe": 0.7,
    }
    assert first["targets"]["bulging"]["confidence"] == pytest.approx(0)


def test_json_has_the_evidence(grades):
    """Points with their ends, slices with frame, offset and plane; empty slots are left out."""
    content = grades.to_json()["studies"][0]
    view = content["units"][0]["views"][0]

    assert content["keypoints"]["discs"]["disc1"] == {
        "mm": [1.0, 2.0, 3.0],
        "confidence": 0.75,
        "ends_mm": [[0.0, 1.0, 2.0], [0.0, 3.0, 4.0]],
    }
    assert content["turned"] == ["discs"]
    assert view["view"] == "near"
    assert len(view["slices"]) == 1
    assert view["slices"][0]["sop_instance_uid"] == "1.2.3"
    assert view["slices"][0]["frame"] == 4
    assert view["slices"][0]["offset_mm"] == 1.5
    assert view["slices"][0]["plane"]["size"] == [10, 12]


def test_refused_study_has_its_reason(grades):
    """A refused study is there, with why, and without units."""
    refused = grades.to_json()["studies"][1]

    assert refused["status"] == "refused"
    assert refused["reason"] == "it has no series"
    assert refused["units"] == []


def test_no_path_and_no_name(grades):
    """Files may be called like patients: neither paths nor file names are told."""
    text = json.dumps(grades.to_json()) + grades.to_frame().write_csv()

    assert "secret" not in text
    assert "Doe" not in text


def test_table_has_a_column_for_each_grade(grades):
    """Grades that a target lacks are null; the warnings are codes, each once."""
    frame = grades.to_frame()
    bulging = frame.row(by_predicate=pl.col("target") == "bulging", named=True)

    assert frame.columns[-2:] == ["warnings", "bundle"]
    assert [name for name in frame.columns if name.startswith("p:")] == [
        "p:none",
        "p:mild",
        "p:severe",
        "p:no",
        "p:yes",
    ]
    assert bulging["p:none"] is None
    assert bulging["p:yes"] == 0.5
    assert bulging["warnings"] == "decode_failed out_of_range"
    assert frame["study"].unique().to_list() == ["7"]


def test_table_survives_csv_and_parquet(grades, tmp_path):
    """The table reads back from either format as it was."""
    frame = grades.to_frame()
    frame.write_parquet(tmp_path / "grades.parquet")
    frame.write_csv(tmp_path / "grades.csv")

    assert pl.read_parquet(tmp_path / "grades.parquet").equals(frame)
    back = pl.read_csv(tmp_path / "grades.csv", schema=frame.schema)
    assert back.equals(frame)


def test_predictions_of_a_batch_are_one_table(grades):
    """All answers together, for scoring; refused studies add nothing."""
    assert len(grades.predictions()) == 3
    assert len(Grades(RUBRIC, "", "", ()).predictions()) == 0
