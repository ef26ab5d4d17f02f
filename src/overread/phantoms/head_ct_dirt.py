"""Soils a head CT the way archives are soiled, and keeps a list of what was done.

Each kind of dirt is a function from scan to scan. Clean scans hold oddities of their own: mixed
pixel types, invalid ids, two-valued windows, tilt, and no instance numbers.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from overread.phantoms.head_ct_scan_files import ForgedScan, ForgedSlice
from overread.phantoms.streams import stream

__all__ = ["soil_scan"]

Soil = Callable[[ForgedScan, np.random.Generator], ForgedScan]


def soil_scan(scan: ForgedScan) -> ForgedScan:
    """Return the scan with dirt, drawn from its seed and index; some scans stay clean."""
    rng = stream(scan.seed, scan.index, "head dirt")
    for chance, soil in _KINDS:
        # One generator per kind: the draws of one kind do not move those of the next.
        own = np.random.default_rng(rng.integers(2**63))
        if own.random() < chance:
            scan = soil(scan, own)
    return scan


def _some(scan: ForgedScan, rng: np.random.Generator, most: int) -> list[int]:
    """Pick up to `most` inner slices."""
    wanted = int(rng.integers(1, most + 1))
    return sorted(int(i) for i in 1 + rng.choice(len(scan.slices) - 2, wanted, replace=False))


def _changed(
    scan: ForgedScan,
    places: list[int],
    kind: str,
    change: Callable[[ForgedSlice], ForgedSlice],
) -> ForgedScan:
    slices = [change(one) if i in places else one for i, one in enumerate(scan.slices)]
    return scan.with_slices(slices, kind, [scan.slices[i].unit for i in places])


def _lose(scan: ForgedScan, rng: np.random.Generator) -> ForgedScan:
    places = _some(scan, rng, 2)
    left = [one for i, one in enumerate(scan.slices) if i not in places]
    return scan.with_slices(left, "missing_slices", [scan.slices[i].unit for i in places])


def _repeat_labels(scan: ForgedScan, rng: np.random.Generator) -> ForgedScan:
    places = _some(scan, rng, 2)
    return _changed(scan, places, "labels_twice", lambda one: replace(one, rows="twice"))


def _tear_labels(scan: ForgedScan, rng: np.random.Generator) -> ForgedScan:
    places = _some(scan, rng, 1)
    return _changed(scan, places, "labels_contradict", lambda one: replace(one, rows="torn"))


def _lose_labels(scan: ForgedScan, rng: np.random.Generator) -> ForgedScan:
    places = _some(scan, rng, 3)
    return _changed(scan, places, "labels_missing", lambda one: replace(one, rows="never"))


def _cut_file(scan: ForgedScan, rng: np.random.Generator) -> ForgedScan:
    share = float(rng.uniform(0.3, 0.9))
    return _changed(scan, _some(scan, rng, 1), "cut_file", lambda one: replace(one, whole=share))


def _halve(scan: ForgedScan, rng: np.random.Generator) -> ForgedScan:
    """Give a slice half the matrix, averaged over 2 x 2 pixels."""

    def half(one: ForgedSlice) -> ForgedSlice:
        rows, columns = (size // 2 for size in one.pixels.shape)
        mean = one.pixels.reshape(rows, 2, columns, 2).mean((1, 3))
        return replace(one, pixels=np.rint(mean).astype(np.int16))

    return _changed(scan, _some(scan, rng, 1), "odd_matrix", half)


_KINDS: tuple[tuple[float, Soil], ...] = (
    (0.15, _lose),
    (0.12, _repeat_labels),
    (0.06, _tear_labels),
    (0.08, _lose_labels),
    (0.08, _cut_file),
    (0.08, _halve),
)
