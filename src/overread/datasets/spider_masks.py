"""From a mask of discs to points: the middle, front and back of each disc, numbered from below.

Masks of the SPIDER copy: grey 29 = disc, 76 = vertebra, 150 = canal. Some are incomplete: a disc
may be drawn in part, in pieces or not at all. Knows pixels only, no millimetres.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["DiscPoints", "disc_points"]

Floats = NDArray[np.float64]
DISC, VERTEBRA = 29, 76
SPECK = 20  # px; smaller pieces are slips of the brush
BODY = 1000  # px; smaller pieces of vertebra may be processes behind the canal
# Pieces nearer than this share of the usual distance between discs belong to one disc; the second
# is for small bits, such as the far end of the oblique lowest disc.
ONE_DISC, BIT_OF_DISC = 0.45, 0.6
# A disc with less than this share of the median area is drawn in part: its middle is not known.
WHOLE = 0.25


@dataclass(frozen=True, eq=False)
class DiscPoints:
    """Points of one disc, (x, y) = column and row, px."""

    middle: Floats
    front: Floats
    back: Floats


def disc_points(mask: NDArray[np.uint8]) -> Mapping[int, DiscPoints]:
    """Return {number: points}, 1 = the lowest disc.

    A disc that is drawn in part keeps its number but has no points. The mask must be upright, with
    the front of the patient at the left.

    Args:
        mask: (rows, columns) grey levels.

    Returns:
        Empty where the lowest disc is not drawn (a vertebra lies below all discs), since then
        numbers would not be those of the gradings.
    """
    discs = _joined(_pieces(mask == DISC, SPECK))
    if not discs or _body_below(mask, discs):
        return {}
    enough = WHOLE * float(np.median([len(disc) for disc in discs]))
    return {
        number: _points(disc) for number, disc in enumerate(discs, start=1) if len(disc) >= enough
    }


def _pieces(where: NDArray[np.bool_], smallest: int) -> list[Floats]:
    """(n, 2) x, y of the pixels of each connected piece, the lowest piece first."""
    from scipy import ndimage

    labelled, count = ndimage.label(where)
    pieces = [
        np.argwhere(labelled == one)[:, ::-1].astype(np.float64) for one in range(1, count + 1)
    ]
    kept = [piece for piece in pieces if len(piece) >= smallest]
    return sorted(kept, key=lambda piece: -float(piece[:, 1].mean()))


def _joined(pieces: list[Floats]) -> list[Floats]:
    if len(pieces) < 3:
        return pieces
    rows = np.array([piece[:, 1].mean() for piece in pieces])
    gaps = rows[:-1] - rows[1:]
    # Small gaps are between pieces of one disc and would draw the median down.
    usual = float(np.median(gaps[gaps > gaps.max() / 3]))
    small = WHOLE * float(np.median([len(piece) for piece in pieces]))
    discs = [pieces[0]]
    for piece, gap in zip(pieces[1:], gaps, strict=True):
        bit = min(len(piece), len(discs[-1])) < small
        if gap < (BIT_OF_DISC if bit else ONE_DISC) * usual:
            discs[-1] = np.concatenate([discs[-1], piece])
        else:
            discs.append(piece)
    return discs


def _body_below(mask: NDArray[np.uint8], discs: list[Floats]) -> bool:
    bodies = _pieces(mask == VERTEBRA, BODY)
    return bool(bodies) and bodies[0][:, 1].mean() > discs[0][:, 1].max()


def _points(disc: Floats) -> DiscPoints:
    """Middle between both ends along the disc's long axis."""
    centre = disc.mean(axis=0)
    along = np.linalg.svd(disc - centre, full_matrices=False)[2][0]
    along = along * np.sign(along[0] or 1.0)  # to the right of the image: to the back
    ends = np.percentile((disc - centre) @ along, [1, 99])
    front, back = centre + ends[0] * along, centre + ends[1] * along
    return DiscPoints((front + back) / 2, front, back)
