"""Grade new studies: read, decode, locate, cut, predict, join; all in memory.

Each step is the function that the pipeline maps over its studies, so both say the same.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
from pydantic import Field

from overread.imaging import Cut, StudyPixels
from overread.imaging.reading import Parts, Progress
from overread.inference.bundle import Bundle
from overread.inference.bundle_files import BundleError
from overread.inference.cuts import StudyCuts, cut_study, units_of
from overread.inference.engines.graph_network import GraphNetwork
from overread.inference.examples import member_examples
from overread.inference.grades import GradedStudy, Grades, Picture, Seen
from overread.inference.joining import final_sets, join_final
from overread.inference.locate import locate, location_findings
from overread.inference.locator import order_locators
from overread.inference.member import EmbedSpec
from overread.inference.opening import EXPECTED, decode_study, open_parts
from overread.inference.picturing import picture_study
from overread.inference.predict import member_predictions, predict_member
from overread.inference.ranges import lone_findings, range_findings
from overread.inference.scan_pictures import picture_scan
from overread.inference.study_examples import as_read
from overread.models import flush_denormals
from overread.records import Finding, Keypoints, Predictions, Study
from overread.shelf import Spec

__all__ = ["GradeSpec", "StudyRefusedError", "grade", "grade_each", "grade_parts", "grade_study"]

MOST_CAUSES = 3


class StudyRefusedError(ValueError):
    """A study that cannot be graded; the words say why."""


class GradeSpec(Spec):
    """How new studies are graded.

    Attributes:
        required: roles that a study must have, such as "sagittal_t2"; others may be missing.
        least_located: share of a locator's points that must be found where crops need them.
        unseen: what is said of a unit of which no view shows anything: "leave_out" (nothing; a
            finding tells) or "answer" (what networks say without evidence, for submissions that
            must be complete).
        pictures: also keep pictures for people (about 1 MB a study).
    """

    required: tuple[str, ...] = ()
    least_located: float = Field(default=0.0, ge=0, le=1)
    unseen: Literal["leave_out", "answer"] = "leave_out"
    pictures: bool = False


def grade(
    bundle: Bundle,
    path: Path,
    *,
    spec: GradeSpec | None = None,
    on_progress: Progress | None = None,
) -> Grades:
    """Grade one study, or every study in a folder.

    Args:
        bundle: networks and how to use them; networks of all folds are averaged.
        path: of a study, or of a folder of studies in any layout that the dataset can open.
        spec: settings; None = the defaults.
        on_progress: told (stage, done, total).

    Returns:
        An entry for each study, in the order of their files. One that cannot be read or graded is
        refused with a reason, and the batch goes on.

    Raises:
        BundleError: if members of the bundle are tables, which no image gives.
    """
    return Grades.join(list(grade_parts(bundle, path, spec=spec, on_progress=on_progress)))


def grade_parts(
    bundle: Bundle,
    path: Path,
    *,
    spec: GradeSpec | None = None,
    on_progress: Progress | None = None,
) -> Iterator[Grades]:
    """Grade the same study by study; nothing is held but the one at hand.

    Yields:
        First what is wrong with files of no study, then what is said of each.
    """
    _refuse_tables(bundle)
    if bundle.needs_torch:
        flush_denormals()
    coverage = bundle.recipe.sets.coverage if bundle.recipe.sets else None
    empty = Grades(bundle.rubric, bundle.hash, bundle.recipe.name, (), (), coverage)
    parts = open_parts(bundle.recipe.dataset, path, on_progress=on_progress)
    yield replace(empty, findings=parts.findings)
    for number, reading in enumerate(parts, start=1):
        own = Parts.of(reading)
        studies = tuple(
            grade_each(bundle, study, spec or GradeSpec(), one.findings)
            for one in own
            for study in one.studies
        )
        yield replace(empty, studies=studies, findings=own.findings)
        if on_progress:
            on_progress("grade", number, len(parts))


def _refuse_tables(bundle: Bundle) -> None:
    if bundle.recipe.tables:
        raise BundleError(
            f"bundle {bundle.recipe.name} joins tables of other networks, such as "
            f"{next(iter(bundle.recipe.tables))}, and images give none; use `overread join`"
        )


def grade_each(
    bundle: Bundle, study: Study, spec: GradeSpec, findings: tuple[Finding, ...] = ()
) -> GradedStudy:
    """Grade one study that was read; what is wrong with it becomes a reason, never an error."""
    broken: tuple[Finding, ...] = ()
    try:
        pixels, broken = decode_study(study)
        graded = grade_study(bundle, pixels, spec)
    except EXPECTED as error:
        refused = _with_causes(str(error) or type(error).__name__, (*findings, *broken))
        note = Finding("study_refused", "refuse", refused, study=study.id)
        return GradedStudy(study.id, study.uid, study.subject, refused, (*findings, *broken, note))
    return replace(graded, findings=(*findings, *broken, *graded.findings))


def _with_causes(refused: str, findings: tuple[Finding, ...]) -> str:
    """Return why a study is refused, and which of its files were set aside before."""
    causes = [one.message for one in findings if one.severity == "refuse"]
    told = [one for one in causes[:MOST_CAUSES] if one not in refused]
    more = len(causes) - MOST_CAUSES
    return "; ".join([refused, *told, *([f"and {more} more"] if more > 0 else [])])


def grade_study(
    bundle: Bundle, pixels: StudyPixels, spec: GradeSpec | None = None, *, fold: int | None = None
) -> GradedStudy:
    """Grade one decoded study.

    Args:
        bundle: networks and how to use them.
        pixels: the study.
        spec: settings; None = the defaults.
        fold: use the networks of this fold alone, as the pipeline does for the fold's subjects.

    Raises:
        StudyRefusedError: if series are missing or the study cannot be located.
    """
    spec = spec or GradeSpec()
    study = pixels.study
    _check_series(bundle, study, spec)
    keypoints, findings = _located(bundle, pixels, spec, fold)
    units = units_of(bundle.rubric, study)
    views = bundle.recipe.views
    alike = {view: cut_study(view, pixels, keypoints, units) for view in {*views.values()}}
    made = {name: alike[view] for name, view in views.items()}
    if not any(cuts.mask.any() for cuts, _ in made.values()):
        raise StudyRefusedError(
            f"study {study.id}: found nothing to look at, no view shows any slice; "
            f"series have the roles {sorted(study.roles)}"
        )
    arrays = {name: cuts for name, (cuts, _) in made.items()}
    predictions = join_final(bundle, _member_tables(bundle, study, arrays, fold))
    unseen = _unseen(arrays)
    findings += _empty_views(bundle, study, arrays, unseen)
    if spec.unseen == "leave_out":
        seen = ~pl.col("unit").is_in(list(unseen))
        predictions = Predictions(predictions.frame.filter(seen))
    findings += lone_findings(study, bundle.rubric)
    findings += range_findings(study, bundle.card.get("ranges", {}))
    crops = {name: cuts for name, (_, cuts) in made.items()}
    sites = [site for _, site in units]
    pictures: tuple[Picture, ...] = ()
    if spec.pictures and bundle.rubric.unit == "slice":
        pictures = picture_scan(pixels, sites)
    elif spec.pictures:
        pictures = picture_study(bundle.recipe, pixels, keypoints, sites, crops)
    return GradedStudy(
        study.id,
        study.uid,
        study.subject,
        None,
        findings,
        keypoints,
        predictions,
        _seen(units, crops),
        pictures,
        final_sets(bundle, predictions),
    )


def _check_series(bundle: Bundle, study: Study, spec: GradeSpec) -> None:
    missing = [role for role in spec.required if role not in study.roles]
    if missing:
        raise StudyRefusedError(
            f"study {study.id}: found series of role {', '.join(sorted(study.roles)) or 'none'}, "
            f"expected also {', '.join(missing)}; give the series a role or grade without it"
        )
    wanted = {role for view in bundle.recipe.views.values() for role in view.series}
    if not wanted & study.roles:
        found = ", ".join(sorted(study.roles)) or "none"
        raise StudyRefusedError(
            f"study {study.id}: found series of role {found}, "
            f"expected one of {', '.join(sorted(wanted))}"
        )


def _located(
    bundle: Bundle, pixels: StudyPixels, spec: GradeSpec, fold: int | None
) -> tuple[dict[str, Keypoints], tuple[Finding, ...]]:
    """Return the points of all locators that are no mere parts, and what was not found."""
    recipe = bundle.recipe
    keypoints: dict[str, Keypoints] = {}
    findings: tuple[Finding, ...] = ()
    parts = {part for locator in recipe.locators.values() for part in locator.of}
    parts -= {view.around for view in recipe.views.values()}
    parts -= {locator.around for locator in recipe.locators.values()}
    for name in order_locators(recipe.locators):
        if name in parts:
            continue
        locator = recipe.locators[name]
        networks = bundle.locator_networks(name, fold)
        keypoints[name] = locate(networks, locator, pixels, keypoints, fold=fold)
        findings += location_findings(name, locator, pixels, keypoints[name])
    _check_located(bundle, pixels.study, spec, keypoints, findings)
    return keypoints, findings


def _check_located(
    bundle: Bundle,
    study: Study,
    spec: GradeSpec,
    keypoints: Mapping[str, Keypoints],
    findings: tuple[Finding, ...],
) -> None:
    views = bundle.recipe.views.values()
    anchors = sorted({view.around for view in views if view.around is not None})
    needed = all(view.around is not None for view in views)
    nothing = needed and not any(keypoints[name].names for name in anchors)
    for name in anchors:
        found, wanted = len(keypoints[name].names), len(bundle.recipe.locators[name].points)
        if nothing or found < spec.least_located * wanted:
            raise StudyRefusedError(
                f"study {study.id} cannot be located: {name} found {found} of {wanted} points, "
                f"expected at least {max(1, math.ceil(spec.least_located * wanted))}; "
                + "; ".join(one.message for one in findings)
            )


def _member_tables(
    bundle: Bundle, study: Study, arrays: Mapping[str, StudyCuts], fold: int | None
) -> dict[str, Predictions]:
    """Return {member: answers}, of all folds or one."""
    recipe = bundle.recipe
    units = pl.DataFrame(
        [
            {"unit": unit, "study": study.id, "subject": study.subject, "site": site}
            for unit, site in units_of(bundle.rubric, study)
        ],
        schema={"unit": pl.String, "study": pl.String, "subject": pl.String, "site": pl.String},
    )
    tables = {}
    for name, member in recipe.members.items():
        cuts = {view: [arrays[view]] for view in member.views}
        for other, spec in member.embeds.items():
            cuts |= _embedded(bundle, other, spec, arrays, fold)
        examples = member_examples(member, recipe.views, bundle.rubric, cuts)
        answers = predict_member(bundle.member_networks(name, fold), as_read(examples))
        role = "new" if fold is None else "oof"
        tables[name] = member_predictions(answers, units, predictor=name, role=role, fold=fold)
    return tables


def _embedded(
    bundle: Bundle, name: str, spec: EmbedSpec, arrays: Mapping[str, StudyCuts], fold: int | None
) -> dict[str, list[StudyCuts]]:
    """Return what a member's networks, of all folds or one, make of the units for another one."""
    from overread.inference.embedding import embed_units

    member = bundle.recipe.members[name]
    cuts = {view: [arrays[view]] for view in member.views}
    folds = sorted(bundle.members[name]) if fold is None else [fold]
    networks = {
        one: network
        for one in folds
        for network in bundle.member_networks(name, one)
        if not isinstance(network, GraphNetwork)  # none is: see `engines.exporting`
    }
    made = embed_units(
        networks,
        member_examples(member, bundle.recipe.views, bundle.rubric, cuts),
        folds,
        spec,
    )
    return {f"{name}{kind}": one for kind, one in made.items()}


def _unseen(arrays: Mapping[str, StudyCuts]) -> dict[str, str]:
    """Return {unit: site} of the units of which no view shows anything."""
    first = next(iter(arrays.values()))
    shown = np.any([cuts.shown for cuts in arrays.values()], axis=0)
    return {
        unit: site or unit
        for unit, site, there in zip(first.units, first.sites, shown, strict=True)
        if not there
    }


def _empty_views(
    bundle: Bundle, study: Study, arrays: Mapping[str, StudyCuts], unseen: Mapping[str, str]
) -> tuple[Finding, ...]:
    """Say which views show nothing of which units."""
    findings = []
    if unseen:
        message = f"nothing was seen of {', '.join(unseen.values())}"
        findings.append(Finding("unit_unseen", "note", message, study=study.id))
    for name, cuts in arrays.items():
        empty = [
            site or unit
            for unit, site, there in zip(cuts.units, cuts.sites, cuts.shown, strict=True)
            if not there and unit not in unseen
        ]
        if empty:
            roles = " or ".join(bundle.recipe.views[name].series)
            message = f"view {name} ({roles}) shows nothing of {', '.join(empty)}"
            findings.append(Finding("view_empty", "note", message, study=study.id))
    return tuple(findings)


def _seen(
    units: tuple[tuple[str, str | None], ...], crops: Mapping[str, tuple[Cut, ...]]
) -> dict[str, tuple[Seen, ...]]:
    return {
        unit: tuple(
            Seen(view, cuts[number].frames, cuts[number].planes, cuts[number].offsets_mm)
            for view, cuts in crops.items()
        )
        for number, (unit, _) in enumerate(units)
    }
