"""What is graded: the one truth for heads, losses, metrics, reports and structured-report codes."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from overread.records.study import RecordError

__all__ = ["Derived", "Rubric", "Scale", "Target", "UnitKind"]

Scale = Literal["ordered", "nominal", "binary"]
UnitKind = Literal["site", "study", "slice", "photo"]


@dataclass(frozen=True)
class Target:
    """One question about a unit, with its possible answers.

    Attributes:
        name: such as "left_subarticular_stenosis".
        grades: the answers, worst last where ordered.
        weights: of each grade in the weighted log loss.
        scale: "ordered", "nominal" or "binary".
        mirror: name of the same question about the other side; None where there are no sides.
        title: for people.
    """

    name: str
    grades: tuple[str, ...]
    weights: tuple[float, ...]
    scale: Scale = "ordered"
    mirror: str | None = None
    title: str = ""

    def __post_init__(self) -> None:
        """Check that grades and weights agree."""
        if len(self.grades) < 2 or len(set(self.grades)) != len(self.grades):
            raise RecordError(f"{self.name} needs two different grades at least: {self.grades}")
        if len(self.weights) != len(self.grades) or min(self.weights) <= 0:
            raise RecordError(f"{self.name} needs a positive weight for each grade")
        if self.scale == "binary" and len(self.grades) != 2:
            raise RecordError(f"{self.name} is binary but has {len(self.grades)} grades")


@dataclass(frozen=True)
class Derived:
    """A target that follows from others; no network has a head for it.

    Attributes:
        name: unlike that of any target.
        of: the targets that it follows from.
        kind: "any" (its last grade's probability is their maximum) or "joint" (a grade for each
            combination of theirs, the last target changing fastest; its probability is their
            product, so the likeliest combination is that of the likeliest grades).
    """

    name: str
    of: tuple[str, ...]
    kind: Literal["any", "joint"] = "any"


@dataclass(frozen=True)
class Rubric:
    """All questions of a dataset.

    Attributes:
        name: such as "rsna2024_lumbar".
        unit: what is graded: a study at a site, a whole study, a slice or a photograph.
        sites: where in a study, in anatomical order; empty unless `unit` is "site".
        targets: unique names; mirror partners name each other.
        derived: targets that are computed from others.
    """

    name: str
    unit: UnitKind
    targets: tuple[Target, ...]
    sites: tuple[str, ...] = ()
    derived: tuple[Derived, ...] = ()

    def __post_init__(self) -> None:
        """Check names, partners and sites."""
        names = self.names
        if len(set(names)) != len(names) or not names:
            raise RecordError(f"rubric {self.name} needs targets with unique names: {names}")
        if (self.unit == "site") != bool(self.sites):
            raise RecordError(f"rubric {self.name}: sites are for units of kind site, and needed")
        for target in self.targets:
            if target.mirror is None:
                continue
            if target.mirror not in names or self.target(target.mirror).mirror != target.name:
                raise RecordError(f"{target.name} and {target.mirror} must be each other's mirror")
            if self.target(target.mirror).grades != target.grades:
                raise RecordError(f"{target.name} and {target.mirror} have different grades")
        for derived in self.derived:
            if missing := set(derived.of) - set(names):
                raise RecordError(f"{derived.name} derives from unknown targets {missing}")
            if derived.name in names:
                raise RecordError(f"{derived.name} is a target and derived; name it otherwise")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the targets."""
        return tuple(target.name for target in self.targets)

    def target(self, name: str) -> Target:
        """Return the target called `name`."""
        for target in self.targets:
            if target.name == name:
                return target
        raise KeyError(f"rubric {self.name} has no target {name}; it has {self.names}")

    @property
    def joint(self) -> tuple[tuple[Target, tuple[str, ...]], ...]:
        """The joint derived targets, each with the names that it is made of.

        Example:
            >>> worn = Target("worn", ("yes", "no"), (1.0, 1.0), "binary")
            >>> age = Target("age", ("young", "old"), (1.0, 1.0))
            >>> both = Derived("both", ("worn", "age"), "joint")
            >>> Rubric("r", "photo", (worn, age), derived=(both,)).joint[0][0].grades
            ('yes young', 'yes old', 'no young', 'no old')
        """
        return tuple(
            (self._combined(derived), derived.of)
            for derived in self.derived
            if derived.kind == "joint"
        )

    def combine(self, said: Mapping[str, Sequence[float]]) -> dict[str, tuple[float, ...]]:
        """Return the probabilities of each joint derived target of one unit.

        Args:
            said: {target: probabilities}; combinations that lack a target are left out.

        Example:
            >>> worn = Target("worn", ("yes", "no"), (1.0, 1.0), "binary")
            >>> age = Target("age", ("young", "old"), (1.0, 1.0))
            >>> rubric = Rubric("r", "photo", (worn, age),
            ...     derived=(Derived("both", ("worn", "age"), "joint"),))
            >>> rubric.combine({"worn": (0.5, 0.5), "age": (0.25, 0.75)})
            {'both': (0.125, 0.375, 0.125, 0.375)}
        """
        return {
            target.name: tuple(
                math.prod(chances) for chances in itertools.product(*(said[name] for name in of))
            )
            for target, of in self.joint
            if set(of) <= set(said)
        }

    def _combined(self, derived: Derived) -> Target:
        """Return the target whose grades are the combinations."""
        each = itertools.product(*(self.target(name).grades for name in derived.of))
        grades = tuple(" ".join(names) for names in each)
        return Target(derived.name, grades, (1.0,) * len(grades), "nominal")

    def partner(self, name: str) -> str:
        """Return the name that `name` has in a mirrored patient (its own, without a side)."""
        return self.target(name).mirror or name

    def unit_id(self, study: str, site: str | None = None) -> str:
        """Return the id of a unit: the study alone, or the study at a site.

        Example:
            >>> t = Target("grade", ("0", "1"), (1.0, 1.0))
            >>> Rubric("r", "site", (t,), sites=("L4/L5",)).unit_id("7", "L4/L5")
            '7@L4/L5'
        """
        return study if site is None else f"{study}@{site}"
