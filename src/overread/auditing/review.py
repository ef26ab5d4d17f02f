"""What an audit finds: suspicions with their reasons, ranked, as JSON and as a table.

How suspicions arise, and how a page shows them, is not known here.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import polars as pl

from overread.records import RecordError

__all__ = ["Review", "Suspicion", "Verdict"]

Verdict = Literal["refuse", "review", "note"]
ORDER: dict[Verdict, int] = {"refuse": 0, "review": 1, "note": 2}
SCHEMA: dict[str, Any] = {
    "rank": pl.Int64,
    "verdict": pl.String,
    "kind": pl.String,
    "study": pl.String,
    "target": pl.String,
    "site": pl.String,
    "evidence": pl.Float64,
    "reason": pl.String,
}


@dataclass(frozen=True)
class Suspicion:
    """Something that is probably not as it should be.

    Attributes:
        kind: short and stable, such as "level_shift", "side_swap", "label", "point", "leak".
        verdict: "refuse" (nothing that rests on it can be believed), "review" (a person should
            look) or "note".
        evidence: nats by which the error explains what is seen better than no error; never
            infinite.
        reason: what was found, what was expected, what to do.
        study: whose it is; None = about the set as a whole.
        target: which question.
        site: where in the study.
        place: where a picture of it would be taken, such as series, slice, x, y.
    """

    kind: str
    verdict: Verdict
    evidence: float
    reason: str
    study: str | None = None
    target: str | None = None
    site: str | None = None
    place: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check that it can be ranked."""
        if self.verdict not in ORDER or not abs(self.evidence) < float("inf"):
            raise RecordError(f"{self.kind}: verdict {self.verdict}, evidence {self.evidence}")


@dataclass(frozen=True, eq=False)
class Review:
    """All suspicions, the gravest first.

    Attributes:
        suspicions: ranked by verdict, then evidence.
        checks: {check: what it looked at, in words}; a check that could not be made says why.
        scores: {kind: columns study, (target, site,) evidence}: everything that was looked at, also
            what is not suspicious.
    """

    suspicions: tuple[Suspicion, ...]
    checks: Mapping[str, str] = field(default_factory=dict)
    scores: Mapping[str, pl.DataFrame] = field(default_factory=dict)

    @staticmethod
    def of(
        suspicions: Iterable[Suspicion],
        checks: Mapping[str, str],
        scores: Mapping[str, pl.DataFrame],
    ) -> "Review":
        """Return the review of these suspicions, ranked; equals keep the order of their names."""

        def grave(one: Suspicion) -> tuple[Any, ...]:
            names = (one.kind, one.study or "", one.target or "", one.site or "")
            return (ORDER[one.verdict], -one.evidence, *names)

        return Review(tuple(sorted(suspicions, key=grave)), dict(checks), dict(scores))

    @property
    def refused(self) -> tuple[Suspicion, ...]:
        """Return what forbids any use of the tables."""
        return tuple(one for one in self.suspicions if one.verdict == "refuse")

    @property
    def studies(self) -> tuple[str, ...]:
        """Return the studies to look at, each once, the most suspicious first."""
        return tuple(
            dict.fromkeys(
                one.study for one in self.suspicions if one.study and one.verdict != "note"
            )
        )

    def counts(self) -> dict[str, dict[str, int]]:
        """Return {kind: {verdict: how many}}."""
        found: dict[str, Counter[str]] = {}
        for one in self.suspicions:
            found.setdefault(one.kind, Counter())[one.verdict] += 1
        return {kind: dict(counter) for kind, counter in found.items()}

    def to_frame(self) -> pl.DataFrame:
        """Return a row a suspicion, in order of rank (from 1)."""
        rows = [
            {"rank": rank, **{name: getattr(one, name) for name in list(SCHEMA)[1:]}}
            for rank, one in enumerate(self.suspicions, 1)
        ]
        return pl.DataFrame(rows, schema=SCHEMA)

    def to_json(self) -> dict[str, Any]:
        """Return the layout of `audit --json`."""
        return {
            "refused": [one.reason for one in self.refused],
            "counts": self.counts(),
            "checks": dict(self.checks),
            "suspicions": [
                {"rank": rank, **asdict(one)} for rank, one in enumerate(self.suspicions, 1)
            ],
        }
