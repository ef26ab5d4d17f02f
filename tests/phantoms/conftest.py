"""Forged things that several tests of the phantoms look at."""

from pathlib import Path

import numpy as np
import pytest

from overread.phantoms import forge_lumbar
from overread.phantoms.forged_study import ForgedSeries, ForgedSlice, ForgedStudy, LabelledPoint
from overread.phantoms.lumbar import forge_study
from overread.phantoms.sampling import SlicePlane
from overread.phantoms.scanner import VENDORS, Protocol
from overread.phantoms.severity import draw_severity


@pytest.fixture(scope="session")
def drawn() -> ForgedStudy:
    """Return one whole clean study in memory."""
    return forge_study(5, 0)


@pytest.fixture(scope="session")
def two_studies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with two clean studies of seed 3."""
    folder = tmp_path_factory.mktemp("two")
    forge_lumbar(folder, num_studies=2, seed=3, workers=2)
    return folder


def _plane(role: str, place: int) -> SlicePlane:
    axial = role == "Axial T2"
    return SlicePlane(
        origin=np.array([-8.0, -8.0, 20.0 - 4 * place] if axial else [4.0 * place - 8, -8, 8]),
        along_row=np.array([1.0, 0, 0] if axial else [0.0, 1, 0]),
        along_column=np.array([0.0, 1, 0] if axial else [0.0, 0, -1]),
        spacing=(1.0, 2.0),
        shape=(12, 8),
        thickness=4.0,
    )


def _series(role: str, number: int, rng: np.random.Generator) -> ForgedSeries:
    protocol = Protocol(
        role=role,
        name="AX T2" if role == "Axial T2" else "SAG",
        contrast="t2",
        spacing=(1.0, 2.0),
        shape=(12, 8),
        thickness=4.0,
        step=4.0,
        repetition_ms=3000.0,
        echo_ms=100.0,
        inversion_ms=None,
        echo_train=15,
        scale=1000.0,
        noise=0.02,
    )
    slices = tuple(
        ForgedSlice(i, i, _plane(role, i), rng.integers(0, 900, (12, 8), dtype=np.uint16))
        for i in range(1, 9)
    )
    return ForgedSeries(number, protocol, slices)


@pytest.fixture
def small_study() -> ForgedStudy:
    """Return a study with three series of eight tiny slices and points in each series."""
    rng = np.random.default_rng(0)
    roles = ("Sagittal T1", "Sagittal T2/STIR", "Axial T2")
    series = tuple(_series(role, 100 + i, rng) for i, role in enumerate(roles))
    points = tuple(
        LabelledPoint(condition, 2, 100 + place, 4, series[place].slices[3].plane.world(3.5, 6.25))
        for condition, place in ((0, 1), (1, 0), (2, 0), (3, 2), (4, 2))
    )
    severity = draw_severity(np.random.default_rng(1))
    return ForgedStudy(
        study_id=77,
        index=0,
        seed=0,
        vendor=VENDORS[0],
        severity=severity,
        series=series,
        points=points,
        truth={"missing": severity.missing.tolist()},
    )
