"""Stacking features: built in pieces or at once, never across scans."""

import numpy as np
import polars as pl
import pytest

from overread.ensembling.neighbours import NeighbourRows, neighbour_features, scan_order


def scans(lengths, streams=3, seed=0):
    """Random streams of scans of some lengths."""
    rng = np.random.default_rng(seed)
    return rng.random((sum(lengths), streams)), np.repeat(np.arange(len(lengths)), lengths)


def one_by_one(values, scan, reach):
    """The plain way: look up every neighbour of every slice."""
    rows = []
    for here in range(len(values)):
        row = [values[here, 0]]
        for step in [*range(-1, -reach - 1, -1), *range(1, reach + 1)]:
            there = here + step
            inside = 0 <= there < len(values) and scan[there] == scan[here]
            row += list(values[there]) if inside else [np.nan] * values.shape[1]
        rows.append(row)
    return np.array(rows)


@pytest.mark.parametrize("lengths", [(5, 1, 9), (1,), (30, 30, 2), (2, 2)])
def test_equals_looking_up_one_by_one(lengths):
    """The features are the streams of the slices around, NaN where the scan ends."""
    values, scan = scans(lengths)
    expected = one_by_one(values, scan, 4)

    assert np.array_equal(expected, neighbour_features(values, scan, reach=4), equal_nan=True)


@pytest.mark.parametrize("size", [1, 3, 7, 100])
def test_pieces_make_the_whole(size):
    """Rows asked for in pieces of any size are the rows of the whole."""
    values, scan = scans((5, 1, 9, 20))
    rows = NeighbourRows(values, scan, reach=6, dtype=np.float64)
    pieces = [rows.rows(at, min(at + size, len(rows))) for at in range(0, len(rows), size)]
    whole = neighbour_features(values, scan, reach=6)

    assert np.array_equal(whole, np.concatenate(pieces), equal_nan=True)
    assert whole.shape[1] == rows.width


def test_slices_are_sorted_by_scan_and_place():
    """Study, series and place decide the order; numbers are compared as numbers."""
    frame = pl.DataFrame(
        {
            "study": ["b", "a", "a", "a", "b", "c", "c"],
            "site": ["1/0002", "2/0001", "1/0010", "1/0009", "1/0001", None, None],
        }
    )
    order, scan = scan_order(frame)

    assert order.tolist() == [3, 2, 1, 4, 0, 5, 6]
    assert scan.tolist() == [0, 0, 1, 2, 2, 3, 4]
