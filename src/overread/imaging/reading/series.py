"""One series from its frames: stacks, roles, and what is odd about them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from overread.imaging.reading import tags
from overread.imaging.reading.findings import Findings
from overread.imaging.reading.frames import FrameHeader
from overread.imaging.reading.gaps import spacing_of, usual_step
from overread.imaging.reading.rescale import rescale_of
from overread.imaging.reading.roles import Guess, assign_roles, role_of_projection
from overread.imaging.reading.stacking import StackDraft, make_stacks
from overread.records import Frame, Planes, Series, Stack

__all__ = ["build_series"]

CROSS_SECTIONAL = frozenset({"CT", "MR", "PT"})


def build_series(
    frames: Sequence[FrameHeader],
    study: str,
    uid: str,
    override: str | None,
    findings: Findings,
) -> Series | None:
    """Return the series, or None when none of its frames can be used.

    Args:
        frames: without duplicates, sorted by path.
        study: StudyInstanceUID, for findings.
        uid: SeriesInstanceUID.
        override: role by the user's table.
        findings: collects what is odd.
    """
    if not frames:
        return None
    about = _About(study, uid, findings)
    repaired = _spacing_from_siblings(frames, about)
    placed = [frame for frame in repaired if frame.placed]
    rest = [frame for frame in repaired if not frame.placed]
    about.note_missing_places(rest)
    about.note_values(repaired)
    if placed:
        drafts = make_stacks(placed)
        guess, roles = assign_roles(drafts, override)
        stacks = tuple(
            Stack(_records(draft.frames), draft.planes, role)
            for draft, role in zip(drafts, roles, strict=True)
        )
        about.note_stacks(drafts, roles, guess)
    else:
        guess = role_of_projection(frames[0].header)
        if override is not None:
            guess = Guess(override or None, 1.0, "by the table of roles")
        stacks = (_projections(rest, guess.role),)
    header = frames[0].header
    return Series(
        uid,
        uid,
        stacks,
        guess.role,
        guess.confidence,
        guess.reason,
        header.text(tags.MODALITY).upper(),
        header.text(tags.SERIES_DESCRIPTION),
    )


def _records(frames: Sequence[FrameHeader]) -> tuple[Frame, ...]:
    return tuple(Frame(frame.header.path, frame.sop_uid, frame.index) for frame in frames)


def _projections(frames: Sequence[FrameHeader], role: str | None) -> Stack:
    """Return images without a place as one stack in pixel space, in order of their numbers."""
    ordered = sorted(frames, key=lambda frame: (frame.instance, frame.header.path, frame.index))
    return Stack(_records(ordered), Planes.of_images([frame.size for frame in ordered]), role)


def _spacing_from_siblings(frames: Sequence[FrameHeader], about: "_About") -> list[FrameHeader]:
    """Give frames without a pixel spacing the spacing of the others, if these agree."""
    known = Counter(frame.spacing for frame in frames if frame.spacing)
    lacking = [frame for frame in frames if frame.spacing is None and frame.position]
    if len(known) != 1 or not lacking:
        return list(frames)
    spacing = next(iter(known))
    words = f"{len(lacking)} images without PixelSpacing got that of the others"
    about.add("spacing_repaired", words, lacking[0])
    return [frame if frame.spacing else replace(frame, spacing=spacing) for frame in frames]


class _About:
    """Adds findings about one series."""

    def __init__(self, study: str, series: str, findings: Findings) -> None:
        self.study = study
        self.series = series
        self.findings = findings

    def add(self, code: str, what: str, frame: FrameHeader | None = None) -> None:
        path = frame.header.path if frame else None
        self.findings.add(code, what, file=path, study=self.study, series=self.series)

    def note_missing_places(self, frames: Sequence[FrameHeader]) -> None:
        """Say of each cross-sectional file without a place what it lacks."""
        seen = set()
        for frame in frames:
            modality = frame.header.text(tags.MODALITY).upper()
            if modality not in CROSS_SECTIONAL or frame.header.path in seen:
                continue
            seen.add(frame.header.path)
            for code, value, name in (
                ("position_missing", frame.position, "ImagePositionPatient"),
                ("orientation_missing", frame.orientation, "ImageOrientationPatient"),
                ("spacing_missing", frame.spacing, "PixelSpacing"),
            ):
                if value is None:
                    self.add(code, f"{name} is missing or not valid; the image is set aside", frame)

    def note_values(self, frames: Sequence[FrameHeader]) -> None:
        """Note inverted greys, rescales and frame counts that cannot be right, once a series."""
        first: dict[tuple[str, str], FrameHeader] = {}
        count: Counter[tuple[str, str]] = Counter()
        for frame in frames:
            doubts = []
            doubt = rescale_of(frame.header).doubt
            if doubt:
                doubts.append(doubt)
            miscounted = frame.header.frames_doubt
            if miscounted:
                doubts.append(("frames_repaired", miscounted))
            if frame.header.text(tags.PHOTOMETRIC).upper() == "MONOCHROME1":
                doubts.append(("monochrome1", "MONOCHROME1, where high values are dark"))
            for key in doubts:
                first.setdefault(key, frame)
                count[key] += 1
        for (code, words), frame in first.items():
            self.add(code, f"{words} ({count[code, words]} of {len(frames)} images)", frame)

    def note_stacks(
        self, drafts: Sequence[StackDraft], roles: Sequence[str | None], guess: Guess
    ) -> None:
        """Note gaps, repetitions, mixed sizes, and localizers among other stacks."""
        main = [draft for draft, role in zip(drafts, roles, strict=True) if role]
        self._note_spacing(main or [draft for draft in drafts if not draft.localizer])
        for draft in drafts:
            different = sorted({frame.size for frame in draft.frames})
            if len(different) > 1:
                words = ", ".join(f"{rows} x {columns}" for rows, columns in different)
                self.add("sizes_mixed", f"slices of different sizes in one stack: {words}")
        self._note_repeats(drafts)
        aside = [
            draft
            for draft, role in zip(drafts, roles, strict=True)
            if role is None and draft.split_by is None
        ]
        if any(roles) and aside:
            count = sum(len(draft.frames) for draft in aside)
            self.add(
                "localizer_mixed",
                f"{count} localizer or crossing images among the slices",
                aside[0].frames[0],
            )
        if guess.role is None:
            self.add("role_unknown", f"no role: {guess.reason}", drafts[0].frames[0])

    def _note_repeats(self, drafts: Sequence[StackDraft]) -> None:
        counted = Counter(draft.block for draft in drafts)
        for block, times in counted.items():
            if times > 1:
                parts = [draft for draft in drafts if draft.block == block]
                traits = sorted({draft.split_by or "order" for draft in parts})
                self.add(
                    "positions_repeat",
                    f"the same positions {times} times, told apart by {', '.join(traits)}",
                    parts[1].frames[0],
                )

    def _note_spacing(self, drafts: Sequence[StackDraft]) -> None:
        """Note missing slices and unequal spacing; short stacks are judged by the others."""
        places = [draft.along for draft in drafts]
        usual = usual_step(np.concatenate([np.empty(0), *map(np.diff, places)]))
        for draft, along in zip(drafts, places, strict=True):
            spacing = spacing_of(along, usual)
            if spacing is None:
                continue
            first = draft.frames[spacing.gaps[0] if spacing.gaps else 0]
            if spacing.missing:
                words = (
                    f"{spacing.missing} slices seem to be missing from a stack of {len(along)}: "
                    f"steps of up to {spacing.largest:.2f} mm where {spacing.usual:.2f} mm is "
                    f"usual, the first behind slice {spacing.gaps[0] + 1}"
                )
                self.add("slices_missing", words, first)
            if not spacing.equal:
                words = f"slices lie {spacing.smallest:.2f} to {spacing.largest:.2f} mm apart"
                self.add("spacing_unequal", words, first)
