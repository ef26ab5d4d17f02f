"""Slice choice equals the original's views on every golden file."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from golden_files import golden_files, record

from overread.imaging import resample_slices
from overread.imaging.slices import central_slices

FILES = golden_files("lumbar_views")


def chosen(order: np.ndarray, count: int) -> list[int]:
    """Slices of a sorted stack, spread over the slots as published."""
    return [int(i) for i in order[resample_slices(len(order), count)]]


def expected_of(case: dict[str, Any], view: str) -> list[list[int]]:
    """The golden indices of one view, plane by plane."""
    return [case["selected"][view][plane] for plane in ("t1", "t2", "axial")]


@pytest.mark.parametrize("path", FILES)
def test_full_view(path: Path) -> None:
    """All slices: right to left, head to feet, spread over the slots."""
    golden = record(path)
    counts = golden["slices_per_plane"]["Ver2"]
    for case in golden["cases"]:
        order = np.argsort(case["standard_pos"], kind="stable")
        orders = (order, order, order[::-1])
        found = [chosen(one, count) for one, count in zip(orders, counts, strict=True)]

        assert found == expected_of(case, "Ver2")


@pytest.mark.parametrize("path", FILES)
def test_central_view(path: Path) -> None:
    """The central half of the sagittal slices, all axial ones."""
    golden = record(path)
    counts = golden["slices_per_plane"]["Ver6"]
    for case in golden["cases"]:
        order = np.argsort(case["standard_pos"], kind="stable")
        middle = order[central_slices(len(order), 0.5)]
        orders = (middle, middle, order[::-1])
        found = [chosen(one, count) for one, count in zip(orders, counts, strict=True)]

        assert found == expected_of(case, "Ver6")


@pytest.mark.parametrize("path", FILES)
@pytest.mark.parametrize("side", ["left", "right"])
def test_side_view(path: Path, side: str) -> None:
    """The lateral half of one side, from the edge to the middle; axial slices as always."""
    golden = record(path)
    view = f"Ver5/{side}"
    counts = golden["slices_per_plane"]["Ver5"]
    for case in golden["cases"]:
        order = np.argsort(case["standard_pos"], kind="stable")
        inwards = order if side == "right" else order[::-1]
        half = inwards[: (len(order) + 1) // 2]
        orders = (half, half, order[::-1])
        found = [chosen(one, count) for one, count in zip(orders, counts, strict=True)]

        assert found == expected_of(case, view)
