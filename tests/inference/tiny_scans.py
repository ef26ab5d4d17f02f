"""Made-up head CTs of flat slices, and labels of them: what is said of a slice can be foretold."""

import numpy as np
import polars as pl

from overread.datasets import rsna2019_head_ct as heads
from overread.imaging import StudyPixels, ViewSpec
from overread.inference import cut_study, units_of
from overread.records import Frame, Labels, Planes, Series, Stack, Study, Volume

SIZE = 16
RUBRIC = heads.rubric(heads.Spec())
VIEW = ViewSpec.model_validate(
    {
        "series": "ct",
        "pixels": (SIZE, SIZE),
        "margin": 1,
        "windows": ({"centre": 50, "width": 100},),
        "channels": [[-1], [0], [1]],
    }
)


def scan(name="t", *, levels=(8,)):
    """A study with a series for each number of slices; HU are 0, 10, 20 ... from the feet."""
    parts, volumes = [], []
    for number, n in enumerate(levels):
        origin = np.zeros((n, 3))
        origin[:, 2] = np.arange(n)[::-1] * 5.0  # stored from head to feet
        planes = Planes(
            origin,
            np.tile([1.0, 0, 0], (n, 1)),
            np.tile([0.0, 1, 0], (n, 1)),
            np.full((n, 2), 0.5),
            np.full((n, 2), SIZE),
        )
        values = (np.arange(n)[::-1] * 10).astype(np.int16)
        array = np.broadcast_to(values[:, None, None], (n, SIZE, SIZE)).copy()
        frames = tuple(
            Frame("x", f"{name}{number}-{n - 1 - i}")  # type: ignore[arg-type]
            for i in range(n)
        )
        parts.append(Series(f"s{number}", f"s{number}", (Stack(frames, planes, "ct"),), "ct"))
        volumes.append(Volume(array, planes, "hu"))
    return StudyPixels(Study(name, name, f"p{name}", tuple(parts)), tuple(volumes))


def cuts_of(pixels, view=VIEW):
    """The crops of a scan."""
    return cut_study(view, pixels, {}, units_of(RUBRIC, pixels.study))[0]


def labels_of(rows):
    """Labels from (unit, study, target, present)."""
    return Labels(
        pl.DataFrame(
            [
                {
                    "unit": unit,
                    "study": study,
                    "subject": f"p{study}",
                    "site": None,
                    "target": target,
                    "probabilities": [1.0 - present, float(present)],
                    "weight": 1.0,
                    "origin": "truth",
                }
                for unit, study, target, present in rows
            ],
            schema_overrides={"site": pl.String},
        )
    )
