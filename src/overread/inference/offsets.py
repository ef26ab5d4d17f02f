"""Networks that answer for a slice and for those beside it: their heads, labels and answers.

A head is called after its target and, beside the slice itself, its offset along the scan: "any",
"any@-1". Source: experiments 34 and 36 of the 3rd place of RSNA 2019. Knows no pixels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from overread.ensembling.offset_targets import average_offsets
from overread.records import Rubric

__all__ = [
    "Beyond",
    "gather_offsets",
    "head_names",
    "offset_labels",
    "offset_rubric",
    "partner_head",
    "scan_numbers",
]

Beyond = Literal["drop", "nearest"]
Ints = NDArray[np.int64]


def head_names(names: Sequence[str], offsets: Sequence[int]) -> tuple[str, ...]:
    """Return the heads of a network that answers these targets at these offsets.

    Example:
        >>> head_names(["any", "subdural"], (0, -1))
        ('any', 'subdural', 'any@-1', 'subdural@-1')
    """
    return tuple(f"{name}{_mark(step)}" for step in offsets for name in names)


def _mark(step: int) -> str:
    return f"@{step:+d}" if step else ""


def partner_head(rubric: Rubric, head: str) -> str:
    """Return the head that answers the same in a mirrored patient."""
    name, at, step = head.partition("@")
    return f"{rubric.partner(name)}{at}{step}"


def offset_rubric(rubric: Rubric, offsets: Sequence[int]) -> Rubric:
    """Return the rubric with its targets once for each offset, as a loss sees them."""
    targets = tuple(
        replace(
            target,
            name=head_names((target.name,), (step,))[0],
            mirror=target.mirror and head_names((target.mirror,), (step,))[0],
        )
        for step in offsets
        for target in rubric.targets
    )
    return replace(rubric, targets=targets, derived=())


def scan_numbers(studies: Sequence[int], sites: Sequence[str | None]) -> Ints:
    """Return a number for each unit that is the same within a scan, rising from 0.

    Args:
        studies: number of each unit's study; units of a study lie together.
        sites: "series/place"; a unit without such a site is a scan of its own.
    """
    keys = [
        (study, site.partition("/")[0] if site and "/" in site else f"alone {row}")
        for row, (study, site) in enumerate(zip(studies, sites, strict=True))
    ]
    new = [index > 0 and key != keys[index - 1] for index, key in enumerate(keys)]
    return np.cumsum(new, dtype=np.int64)


def offset_labels(
    labels: Mapping[str, NDArray[np.float32]], scan: Ints, offsets: Sequence[int], beyond: Beyond
) -> dict[str, NDArray[np.float32]]:
    """Return arrays of all heads, from those of the slices themselves.

    Args:
        labels: {target: (n, ...)}; slices of a scan lie together, in order.
        scan: (n,) which scan each slice is of.
        offsets: of the heads.
        beyond: beyond the ends of a scan stand zeros ("drop"), or what the last slice has.
    """
    found = {}
    place = np.arange(len(scan))
    first = np.searchsorted(scan, scan, side="left")
    last = np.searchsorted(scan, scan, side="right") - 1
    for step in offsets:
        there = np.clip(place + step, first, last)
        inside = (there == place + step) | (beyond == "nearest")
        for name, values in labels.items():
            shape = (-1, *[1] * (values.ndim - 1))
            found[name + _mark(step)] = np.where(inside.reshape(shape), values[there], 0)
    return found


def gather_offsets(
    answers: Mapping[str, NDArray[np.float64]], scan: Ints, offsets: Sequence[int], beyond: Beyond
) -> dict[str, NDArray[np.float64]]:
    """Return one answer a slice and target: the mean of all that was said of it.

    Args:
        answers: {head: (n, grades)}; slices of a scan lie together, in order.
        scan: (n,) which scan each slice is of.
        offsets: of the heads.
        beyond: see `average_offsets`.
    """
    names = [name for name in answers if "@" not in name]
    return {
        name: average_offsets(
            np.stack([answers[head] for head in head_names((name,), offsets)], axis=1),
            scan,
            offsets,
            beyond=beyond,
        )
        for name in names
    }
