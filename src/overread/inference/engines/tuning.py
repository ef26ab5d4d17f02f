"""Which engine and precision is fastest for each part of a bundle on this host, by measuring.

A way is taken only if the grades stay what they are, to a stated tolerance. Nothing is assumed: the
same precision that is sixteen times faster for one network gains nothing for another.
"""

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import Field

from overread.inference.bundle import Bundle
from overread.inference.engines.cache import BUNDLE, TUNING, host, tuning_folder
from overread.inference.engines.calibrating import Samples, record_samples
from overread.inference.engines.exporting import in_ways
from overread.inference.engines.parity import Parity, ParitySpec, compare_grades, unlike
from overread.inference.engines.racing import Race, race
from overread.inference.engines.ways import WAYS, Way, is_installed

__all__ = ["Tried", "TuneSpec", "Tuning", "tune"]

EAGER = Way()
OnWay = Callable[[str, int, int], None]


class TuneSpec(ParitySpec):
    """How ways are measured.

    Attributes:
        tolerance, flips: see `ParitySpec`.
        studies: most that are looked at.
        batch: studies that a call of `grade` has as a rule: the time to open an engine counts once,
            the time of networks so often.
        compiled: also try torch.compile, which takes minutes to start.
    """

    studies: int = Field(default=5, ge=1)
    batch: int = Field(default=20, ge=1)
    compiled: bool = False


@dataclass(frozen=True)
class Tried:
    """One way, or the mixture that was chosen.

    Attributes:
        race: how long it took; None if it failed.
        parity: of its grades against those of torch, eagerly.
        refused: why it may not be used; None = it may.
        kept: {part: why torch still runs it}.
    """

    race: Race | None
    parity: Parity | None
    refused: str | None = None
    kept: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        return {
            "refused": self.refused,
            "parity": self.parity and self.parity.to_json(),
            "kept": dict(self.kept),
            **(self.race.to_json() if self.race else {}),
        }


@dataclass(frozen=True)
class Tuning:
    """What was measured, and what is used from now on.

    Attributes:
        ways: {part: way}.
        tried: {way in words: what came of it}; "chosen" is the mixture.
        host: what it was measured on.
        folder: where it is kept.
    """

    ways: Mapping[str, Way]
    tried: Mapping[str, Tried]
    host: Mapping[str, Any]
    folder: Path

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        return {
            "ways": {part: way.model_dump() for part, way in self.ways.items()},
            "tried": {name: one.to_json() for name, one in self.tried.items()},
            "host": dict(self.host),
        }


def tune(
    bundle: Bundle,
    path: Path,
    *,
    spec: TuneSpec | None = None,
    ways: Sequence[Way] = WAYS,
    cache: Path | None = None,
    on_progress: OnWay | None = None,
) -> Tuning:
    """Measure every way on studies, choose one for each part, and keep the result for `grade`.

    Args:
        bundle: whose networks torch runs.
        path: a study, or a folder of studies.
        spec: how.
        ways: that are tried, beside eager fp32; those whose library is missing are left out.
        cache: see `tuning_folder`.
        on_progress: told (way, done, total).
    """
    spec = spec or TuneSpec()
    candidates = [way for way in ways if way != EAGER and is_installed(way)]
    candidates = [way for way in candidates if spec.compiled or way.engine != "compiled"]
    first = race(bundle, path, most=spec.studies)
    samples: Samples = {}
    if any(way.precision == "int8" for way in candidates):
        samples = record_samples(bundle, path, most=spec.studies)
    with tempfile.TemporaryDirectory(prefix="overread-tune-") as place:
        course = _Course(bundle, path, spec, first, samples, Path(place))
        tried = {str(EAGER): Tried(first, compare_grades(first.grades, first.grades))}
        for number, way in enumerate(candidates):
            if on_progress:
                on_progress(str(way), number, len(candidates))
            tried[str(way)] = course.ride(course.alike(way))
        chosen, best = _chosen(course, tried, (EAGER, *candidates))
        result = Tuning(
            chosen, {**tried, "chosen": best}, host(), tuning_folder(bundle.hash, cache)
        )
        _keep(result, course.made(chosen)[0])
    return result


@dataclass(frozen=True, eq=False)
class _Course:
    """What all ways are measured on.

    Attributes:
        bundle, path, spec: as given.
        first: how it went eagerly in fp32.
        samples: inputs of the networks, for int8.
        place: for graphs.
    """

    bundle: Bundle
    path: Path
    spec: TuneSpec
    first: Race
    samples: Samples
    place: Path

    def alike(self, way: Way) -> dict[str, Way]:
        """Return one way for all parts."""
        return dict.fromkeys(self.bundle.networks(), way)

    def made(self, ways: Mapping[str, Way]) -> tuple[Bundle, dict[str, str]]:
        """Return the bundle in some ways, and why some parts are still run by torch."""
        return in_ways(self.bundle, ways, self.place, self.samples)

    def ride(self, ways: Mapping[str, Way]) -> Tried:
        """Grade the studies in some ways; an engine that fails is refused, not fatal."""
        try:
            made, kept = self.made(ways)
            found = race(made, self.path, most=self.spec.studies)
        except (RuntimeError, ValueError, TypeError, OSError) as error:
            return Tried(None, None, f"it failed: {str(error).splitlines()[0][:200]}")
        parity = compare_grades(self.first.grades, found.grades)
        return Tried(found, parity, unlike(self.spec, parity), kept)


def _chosen(
    course: _Course, tried: Mapping[str, Tried], ways: Sequence[Way]
) -> tuple[dict[str, Way], Tried]:
    """Return the fastest way of each part and how they do together.

    If together they are refused, the best single way is taken; if that is no faster than what
    there is, nothing changes.
    """
    spec, eager = course.spec, tried[str(EAGER)]
    mixture = _fastest_parts(spec, tried, ways)
    single = min(
        (way for way in ways if tried[str(way)].refused is None),
        key=lambda way: _cost(spec, tried[str(way)].race),
    )
    for chosen in (mixture, course.alike(single)):
        if set(chosen.values()) == {EAGER}:
            continue
        found = course.ride(chosen)
        if found.refused is None and _cost(spec, found.race) < _cost(spec, eager.race):
            return chosen, found
    return course.alike(EAGER), eager


def _cost(spec: TuneSpec, race: Race | None) -> float:
    """Return the seconds of one call of `grade`."""
    if race is None:
        return float("inf")
    return race.load_s + race.first_s + (spec.batch - 1) * race.study_s


def _fastest_parts(
    spec: TuneSpec, tried: Mapping[str, Tried], ways: Sequence[Way]
) -> dict[str, Way]:
    """Return for each part the way in which its networks took the least time."""
    allowed = {
        way: (one.race, one.kept)
        for way in ways
        if (one := tried[str(way)]).refused is None and one.race is not None
    }
    parts = tuple(allowed[EAGER][0].networks_s)

    def seconds(part: str, way: Way) -> float:
        found, kept = allowed[way]
        if part in kept:
            return float("inf")
        # The time to open networks is not known by part; it is shared evenly.
        return found.load_s / len(parts) + spec.batch * found.networks_s[part]

    return {part: min(allowed, key=partial(seconds, part)) for part in parts}


def _keep(result: Tuning, tuned: Bundle) -> None:
    """Write what was chosen beside its place and move it there."""
    beside = result.folder.with_name(f"{result.folder.name}.partial")
    for old in (beside, result.folder):
        if old.exists():
            shutil.rmtree(old)
    beside.mkdir(parents=True)
    if any(way != EAGER for way in result.ways.values()):
        tuned.save(beside / BUNDLE)
    text = json.dumps(result.to_json(), indent=2) + "\n"
    (beside / TUNING).write_text(text, encoding="utf-8")
    beside.rename(result.folder)
