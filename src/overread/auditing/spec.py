"""Settings of an audit: how rare each kind of error is thought to be, and when something is a leak.

Evidence is counted in nats everywhere: the log of how much better the error explains what is seen
than no error does. Something is shown when it outweighs the rarity of its kind.
"""

import math

from pydantic import Field

from overread import shelf

__all__ = ["AuditSpec"]


class AuditSpec(shelf.Spec):
    """Settings.

    Attributes:
        flips: share of labels thought to be one grade off.
        swaps: share of studies thought to have left and right exchanged.
        shifts: share of studies thought to be labelled one site too high or too low.
        slips: share of points thought to lie elsewhere.
        other_views: share of studies in which two series show other fields of view.
        view_moved: how far such a field of view lies elsewhere, as a share of the image.
        view_stretched: how much larger or smaller it is, as a share.
        fewest: graded units of a question below which probabilities are taken as they are, and no
            leak is told from them.
        floor: no probability counts as less.
        least_expected: answers that should have been wrong before "never wrong" is held against a
            table.
        never_wrong: share of these that are wrong, below which the table has seen the labels.
        perfect_kappa: agreement with the labels above which the table has seen them.
        sibling_correlation: how far answers may follow what the labels of the same subject's other
            units say beyond the members' answers.
        sibling_z: standard errors that this must be from zero.
        hash_bits: bits of 64 in which fingerprints of copies may differ.
        same_pixels: correlation of two pictures from which they are copies.
        thumb: pixels of a side at which pictures are compared.
        seeing_auc: a single column that tells the target this well has seen it.
        most_shown: suspicions of a kind that are written out.
        seed: of all chance.
    """

    flips: float = Field(default=0.03, gt=0, lt=0.5)
    swaps: float = Field(default=0.01, gt=0, lt=0.5)
    shifts: float = Field(default=0.01, gt=0, lt=0.5)
    slips: float = Field(default=0.001, gt=0, lt=0.5)
    other_views: float = Field(default=0.05, gt=0, lt=0.5)
    view_moved: float = Field(default=0.1, gt=0)
    view_stretched: float = Field(default=0.15, gt=0)
    fewest: int = Field(default=200, ge=10)
    floor: float = Field(default=1e-4, gt=0, lt=0.1)
    least_expected: float = Field(default=20, gt=0)
    never_wrong: float = Field(default=0.02, ge=0, lt=1)
    perfect_kappa: float = Field(default=0.98, gt=0, le=1)
    sibling_correlation: float = Field(default=0.1, gt=0, lt=1)
    sibling_z: float = Field(default=4.0, gt=0)
    hash_bits: int = Field(default=10, ge=0, le=64)
    same_pixels: float = Field(default=0.98, gt=0, le=1)
    thumb: int = Field(default=64, ge=16)
    seeing_auc: float = Field(default=0.99, gt=0.5, le=1)
    most_shown: int = Field(default=200, ge=1)
    seed: int = 0


def rarity(share: float) -> float:
    """Return the evidence in nats that an error this rare needs to be more likely than not.

    Example:
        >>> round(rarity(0.01), 2)
        4.6
    """
    return math.log((1 - share) / share)
