"""Made-up grades for pages: two graded studies and a refused one."""

import numpy as np
import polars as pl

from overread.inference import GradedStudy, Grades, Marked, Picture
from overread.records import Finding, Keypoints, Predictions, Rubric, Target

GRADES = ("normal", "moderate", "severe")
SITES = ("L4/L5", "L5/S1")
RUBRIC = Rubric(
    "tiny",
    "site",
    (
        Target("canal", GRADES, (1.0, 2.0, 4.0), title="Canal stenosis"),
        Target("left_foramen", GRADES, (1.0, 2.0, 4.0), mirror="right_foramen"),
        Target("right_foramen", GRADES, (1.0, 2.0, 4.0), mirror="left_foramen"),
    ),
    SITES,
)


def predictions(study: str, *, seed: int = 0, predictor: str = "final") -> Predictions:
    """Return answers to every target at every site."""
    rng = np.random.default_rng(seed)
    rows = [
        {
            "unit": f"{study}@{site}",
            "study": study,
            "subject": f"person-{study}",
            "site": site,
            "target": target,
            "probabilities": rng.dirichlet([3.0, 1.0, 0.7]).tolist(),
            "fold": seed % 2,
            "predictor": predictor,
            "role": "oof",
        }
        for site in SITES
        for target in RUBRIC.names
    ]
    return Predictions(pl.DataFrame(rows))


def graded(study: str, *, seed: int = 0) -> GradedStudy:
    """Return a graded study with pictures, points and a finding."""
    points = Keypoints(
        SITES, np.array([[0, 0, 10.0], [0, 0, -20.0]]), np.array([0.9, 0.3]), "network"
    )
    shade = np.tile(np.arange(80, dtype=np.uint8), (120, 1))
    pictures = (
        Picture(
            "T2 sagittal",
            shade,
            "1.2.3.4",
            marks=(Marked("L4/L5", 40.0, 60.0, 0.9), Marked("L5/S1", 42.0, 62.0, 0.3)),
        ),
        Picture("near", shade[:60, :60], "1.2.3.5", "L4/L5", kind="crop"),
    )
    doubt = Finding("points_doubtful", "note", "locator discs is not sure of L5/S1 (0.30)")
    return GradedStudy(
        study,
        f"1.2.{study}",
        f"person-{study}",
        findings=(doubt,),
        keypoints={"discs": points},
        predictions=predictions(study, seed=seed),
        pictures=pictures,
    )


def grades(*, refused: bool = True) -> Grades:
    """Return a batch."""
    studies = [graded("7", seed=1), graded("8", seed=2)]
    if refused:
        studies.append(GradedStudy("9", "", "", refused="series 1 <b>cannot</b> be decoded"))
    return Grades(RUBRIC, "a" * 64, "tiny", tuple(studies))
