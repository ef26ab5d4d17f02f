"""How much each member counts for each unit, where members may be silent."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from overread.ensembling.sheets import JoinError, Sheet
from overread.shelf import nearest

__all__ = ["member_weights"]


def member_weights(weights: Mapping[str, float], sheet: Sheet) -> NDArray[np.float64]:
    """Return (members, n) weights that sum to 1 over the members that answered a unit.

    Raises:
        JoinError: if a weight is negative or names no member, or the members that answered a unit
            all weigh 0.
    """
    for name, weight in weights.items():
        if name not in sheet.members:
            raise JoinError(
                f'weight for "{name}", which is no member; {nearest(name, sheet.members)}'
            )
        if not (np.isfinite(weight) and weight >= 0):
            raise JoinError(f"weight of {name} is {weight}; expected 0 or more")
    each = np.array([weights.get(name, 1.0) for name in sheet.members])
    used = sheet.present * each[:, None]
    total = used.sum(axis=0)
    if (total <= 0).any():
        unit = sheet.units["unit"][int((total <= 0).argmax())]
        raise JoinError(
            f"{sheet.target.name} of {unit}: every member that answers weighs 0; give one a weight"
        )
    return np.asarray(used / total)
