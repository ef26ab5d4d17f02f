"""What is said of new studies: grades with the evidence for them, as JSON and as a table.

Pages and structured reports are made from it elsewhere.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from overread.records import Finding, Frame, GradeSets, Keypoints, Planes, Predictions, Rubric

__all__ = ["GradedStudy", "Grades", "Marked", "Picture", "Seen", "answer_confidence"]

LAYOUT = 1


@dataclass(frozen=True, eq=False)
class Seen:
    """The slices of one view of one unit that the networks saw.

    Attributes:
        view: its name.
        frames: (S,) where the pixels come from; None = empty slot.
        planes: (S,) of the crops, world mm.
        offsets_mm: (S,) of the slices from the unit's point.
    """

    view: str
    frames: tuple[Frame | None, ...]
    planes: Planes
    offsets_mm: NDArray[np.float32]


@dataclass(frozen=True)
class Marked:
    """A point on a picture.

    Attributes:
        name: such as a level.
        x, y: column and row, px of the picture.
        confidence: 0 to 1.
    """

    name: str
    x: float
    y: float
    confidence: float


@dataclass(frozen=True, eq=False)
class Picture:
    """What a reader wants to look at.

    Attributes:
        title: for people.
        image: (rows, columns) or (rows, columns, 3) uint8.
        sop_instance_uid: of the frame that it shows.
        site: of the unit that it is about; None = the whole study.
        marks: points on it.
        outline: corners (x, y) px of what was cut out of it; empty = nothing.
        kind: "overview" (a slice with the points of a study), "slice" (the whole slice of a crop),
            "crop" (what a network saw) or "photo" (a whole photograph).
    """

    title: str
    image: NDArray[np.uint8]
    sop_instance_uid: str
    site: str | None = None
    marks: tuple[Marked, ...] = ()
    outline: tuple[tuple[float, float], ...] = ()
    kind: str = "overview"


@dataclass(frozen=True, eq=False)
class GradedStudy:
    """What is said of one study.

    Attributes:
        study: id.
        study_uid: StudyInstanceUID; "" where the study could not be read.
        subject: pseudonym; "" where the study could not be read.
        refused: why there are no grades; None = graded.
        findings: what a reader should know.
        keypoints: {locator: points}, world mm.
        predictions: of the final predictor.
        seen: {unit: views}.
        pictures: empty unless they were asked for.
        sets: of grades that are not ruled out; empty where the bundle has no thresholds.
    """

    study: str
    study_uid: str
    subject: str
    refused: str | None = None
    findings: tuple[Finding, ...] = ()
    keypoints: Mapping[str, Keypoints] = field(default_factory=dict)
    predictions: Predictions = field(default_factory=Predictions.empty)
    seen: Mapping[str, tuple[Seen, ...]] = field(default_factory=dict)
    pictures: tuple[Picture, ...] = ()
    sets: GradeSets = field(default_factory=GradeSets.empty)

    def set_of(self, unit: str, target: str) -> tuple[int, ...] | None:
        """Return the grades (from 0) that are not ruled out; None where no sets were made."""
        return self._sets.get((unit, target))

    @cached_property
    def _sets(self) -> dict[tuple[str, str], tuple[int, ...]]:
        rows = self.sets.frame.select("unit", "target", "holds").iter_rows()
        return {
            (unit, target): tuple(number for number, held in enumerate(holds) if held)
            for unit, target, holds in rows
        }


@dataclass(frozen=True, eq=False)
class Grades:
    """What is said of a batch of studies.

    Attributes:
        rubric: what was graded.
        bundle: hash of the bundle.
        recipe: its name.
        studies: one entry each, also for those that were refused.
        findings: about files that belong to no study.
        coverage: how often sets of grades were asked to hold the true one; None = no sets.
    """

    rubric: Rubric
    bundle: str
    recipe: str
    studies: tuple[GradedStudy, ...]
    findings: tuple[Finding, ...] = ()
    coverage: float | None = None

    @classmethod
    def join(cls, parts: Sequence["Grades"]) -> "Grades":
        """Return what parts of one batch say; there must be one at least."""
        studies = tuple(study for part in parts for study in part.studies)
        findings = tuple(finding for part in parts for finding in part.findings)
        return replace(parts[0], studies=studies, findings=findings)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON (layout 1); holds UIDs, but no names and no paths.

        "turned" names the locators whose points hold for the rows in reverse order, because the
        images are stored upside down. With sets of grades, "coverage" says how often they were
        asked to hold the true grade, and each answer has its "set", mildest first.
        """
        return {
            "layout": LAYOUT,
            "bundle": self.bundle,
            "recipe": self.recipe,
            "rubric": self.rubric.name,
            "grades": {target.name: list(target.grades) for target in self.rubric.targets},
            **({} if self.coverage is None else {"coverage": self.coverage}),
            "studies": [self._study(one) for one in self.studies],
            "findings": [_finding(one) for one in self.findings],
        }

    def to_frame(self) -> pl.DataFrame:
        """Return one row a unit and target.

        Columns: study, study_uid, subject, unit, site, target, grade, confidence, a column
        "p:{grade}" for each grade of the rubric (null where the target lacks it), warnings
        (codes, joined by spaces), bundle; with sets of grades also set, its grades joined by
        " | ". Refused studies have no rows.
        """
        titles = dict.fromkeys(g for target in self.rubric.targets for g in target.grades)
        numbers = ("confidence", *(f"p:{name}" for name in titles))
        schema = {
            **dict.fromkeys(ROW_TEXTS, pl.String),
            **dict.fromkeys(numbers, pl.Float64),
            **dict.fromkeys(("warnings", "bundle"), pl.String),
            **({} if self.coverage is None else {"set": pl.String}),
        }
        rows = [row for study in self.studies for row in self._rows(study)]
        return pl.DataFrame(rows, schema=schema)

    def predictions(self) -> Predictions:
        """Return the probabilities of all studies as one table."""
        return Predictions.concat([study.predictions for study in self.studies])

    def _rows(self, study: GradedStudy) -> list[dict[str, Any]]:
        codes = " ".join(dict.fromkeys(one.code for one in study.findings))
        return [
            {
                "study": study.study,
                "study_uid": study.study_uid,
                "subject": study.subject,
                "unit": row["unit"],
                "site": row["site"],
                "target": row["target"],
                **self._answer(row["target"], row["probabilities"]),
                "warnings": codes,
                "bundle": self.bundle,
                **{name: " | ".join(held) for name, held in self._set(study, row).items()},
            }
            for row in study.predictions.frame.iter_rows(named=True)
        ]

    def _answer(self, target: str, probabilities: Sequence[float]) -> dict[str, Any]:
        grades = self.rubric.target(target).grades
        best = int(np.argmax(probabilities))
        each = {f"p:{name}": p for name, p in zip(grades, probabilities, strict=True)}
        return {"grade": grades[best], "confidence": answer_confidence(probabilities), **each}

    def _study(self, study: GradedStudy) -> dict[str, Any]:
        return {
            "study": study.study,
            "study_uid": study.study_uid,
            "subject": study.subject,
            "status": "graded" if study.refused is None else "refused",
            "reason": study.refused,
            "keypoints": {name: _points(points) for name, points in study.keypoints.items()},
            "turned": sorted(name for name, one in study.keypoints.items() if one.turned),
            "units": self._units(study),
            "warnings": [_finding(one) for one in study.findings],
            "bundle": self.bundle,
        }

    def _units(self, study: GradedStudy) -> list[dict[str, Any]]:
        units: dict[str, dict[str, Any]] = {}
        for row in study.predictions.frame.iter_rows(named=True):
            unit = units.setdefault(
                row["unit"], {"unit": row["unit"], "site": row["site"], "targets": {}}
            )
            grades = self.rubric.target(row["target"]).grades
            probabilities = row["probabilities"]
            unit["targets"][row["target"]] = {
                "grade": grades[int(np.argmax(probabilities))],
                "confidence": answer_confidence(probabilities),
                "probabilities": dict(zip(grades, probabilities, strict=True)),
                **self._set(study, row),
            }
        for name, unit in units.items():
            unit["views"] = [_seen(one) for one in study.seen.get(name, ())]
            unit.update(self._combined(unit["targets"]))
        return list(units.values())

    def _combined(self, answers: Mapping[str, Any]) -> dict[str, Any]:
        """Return {"combined": {name: grade, its number and share}}, or nothing without any."""
        grades = {target.name: target.grades for target, _ in self.rubric.joint}
        said = {name: tuple(one["probabilities"].values()) for name, one in answers.items()}
        combined = {
            name: {
                "grade": grades[name][int(np.argmax(chances))],
                "number": int(np.argmax(chances)),
                "probability": max(chances),
            }
            for name, chances in self.rubric.combine(said).items()
        }
        return {"combined": combined} if combined else {}

    def _set(self, study: GradedStudy, row: Mapping[str, Any]) -> dict[str, list[str]]:
        """Return {"set": names of grades}, or nothing where no sets were made."""
        held = study.set_of(row["unit"], row["target"])
        grades = self.rubric.target(row["target"]).grades
        return {} if held is None else {"set": [grades[number] for number in held]}


ROW_TEXTS = ("study", "study_uid", "subject", "unit", "site", "target", "grade")


def answer_confidence(probabilities: Sequence[float]) -> float:
    """Return how sure an answer is: 1 minus its entropy over that of a uniform answer.

    Example:
        >>> answer_confidence([1.0, 0.0]), answer_confidence([0.5, 0.5])
        (1.0, 0.0)
    """
    entropy = -sum(p * math.log(p) for p in probabilities if p > 0)
    return max(0.0, 1.0 - entropy / math.log(len(probabilities)))


def _finding(finding: Finding) -> dict[str, Any]:
    content = asdict(finding)
    content.pop("file")
    return content


def _points(points: Keypoints) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for index, name in enumerate(points.names):
        found[name] = {
            "mm": points.points[index].tolist(),
            "confidence": float(points.confidence[index]),
        }
        if points.ends is not None:
            found[name]["ends_mm"] = points.ends[index].tolist()
    return found


def _seen(seen: Seen) -> dict[str, Any]:
    slices = []
    for index, frame in enumerate(seen.frames):
        if frame is None:
            continue
        slices.append(
            {
                "sop_instance_uid": frame.sop_instance_uid,
                "frame": frame.index,
                "offset_mm": float(seen.offsets_mm[index]),
                "plane": {
                    "origin_mm": seen.planes.origin[index].tolist(),
                    "row": seen.planes.row[index].tolist(),
                    "column": seen.planes.column[index].tolist(),
                    "spacing_mm": seen.planes.spacing[index].tolist(),
                    "size": seen.planes.size[index].tolist(),
                },
            }
        )
    return {"view": seen.view, "slices": slices}
