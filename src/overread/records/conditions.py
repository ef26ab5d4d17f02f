"""Conditions: what a rubric asks about, whichever side it asks about.

Left and right of one condition are read alike, so what is learnt of rare grades pools them.
"""

from overread.records.rubric import Rubric, Target

__all__ = ["conditions"]


def conditions(rubric: Rubric) -> dict[str, tuple[Target, ...]]:
    """Return {condition: its targets}: mirror partners together, others alone.

    A pair is called by the words that both names share, in order; by the first name if they share
    none.

    Example:
        >>> pair = [Target(f"{a}_hip", ("0", "1"), (1, 1), mirror=f"{b}_hip")
        ...         for a, b in (("left", "right"), ("right", "left"))]
        >>> list(conditions(Rubric("r", "study", tuple(pair))))
        ['hip']
    """
    found: dict[str, tuple[Target, ...]] = {}
    for target in rubric.targets:
        partner = rubric.target(rubric.partner(target.name))
        if partner.name == target.name:
            found[target.name] = (target,)
        elif rubric.names.index(target.name) < rubric.names.index(partner.name):
            found[_shared(target.name, partner.name, rubric)] = (target, partner)
    return found


def _shared(one: str, other: str, rubric: Rubric) -> str:
    words = set(other.split("_"))
    name = "_".join(word for word in one.split("_") if word in words)
    return one if not name or name in rubric.names else name
