"""What a series is for: its role, how sure, and why.

Decides from attributes and geometry of the stacks; a table of the user comes first.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np

from overread.imaging.reading import tags
from overread.imaging.reading.header import Header
from overread.imaging.reading.stacking import PLANE_AXES, StackDraft
from overread.imaging.reading.weighting import MrTimes, weighting_of
from overread.shelf import nearest

__all__ = ["ROLE_PLANE", "Guess", "RoleError", "assign_roles", "check_roles", "role_of_projection"]

Plane = Literal["sagittal", "axial", "coronal", "photo"]
WEIGHTINGS = ("t1", "t2", "pd", "flair", "dwi")
ROLE_PLANE: Mapping[str, Plane] = MappingProxyType(
    {
        **{f"sagittal_{name}": "sagittal" for name in (*WEIGHTINGS, "ct")},
        "sagittal_t2_space": "sagittal",
        "sagittal_t2_space_masked": "sagittal",
        **{f"axial_{name}": "axial" for name in WEIGHTINGS},
        **{f"coronal_{name}": "coronal" for name in (*WEIGHTINGS, "ct")},
        "ct": "axial",
        "photo_xray": "photo",
        "photo": "photo",
    }
)
SET_ASIDE = frozenset({"", "localizer", "none"})
LOCALIZER_WORDS = re.compile(
    r"\bLOC(?:ALI[SZ]ERS?)?\b|LOCALI[SZ]ER|\bSCOUT|\bSURVEY|\bSURVIEW|\bTOPOGRAM|\b3 ?PL(?:ANE)?\b"
)
DERIVED_WORDS = frozenset(
    {
        "ADC",
        "P",
        "PHASE",
        "PHASE MAP",
        "PROJECTION IMAGE",
        "MIP",
        "SUBTRACTION",
        "FA",
        "SCREEN SAVE",
    }
)
PLANE_WORDS = {
    "sagittal": r"\bSAG",
    "axial": r"\bAX|\bTRA(?!CE)|\bTRANS",
    "coronal": r"\bCOR(?!D)",
}
# A block tilted up to this angle still belongs to the plane of the other blocks (L5/S1).
LARGEST_TILT_DEG = 60.0


class RoleError(ValueError):
    """A table of roles that names a role that does not exist."""


@dataclass(frozen=True)
class Guess:
    """A role with its reason.

    Attributes:
        role: None when it could not be told or the stack is set aside.
        confidence: 0 to 1.
        reason: in words.
    """

    role: str | None
    confidence: float
    reason: str


def check_roles(roles: Mapping[str, str]) -> None:
    """Check a table of roles.

    Raises:
        RoleError: if it names a role that is not in ROLE_PLANE and is no "<plane>_<something>".
    """
    for series, role in roles.items():
        known = role in ROLE_PLANE or role in SET_ASIDE or role.split("_")[0] in PLANE_AXES
        if not known:
            raise RoleError(
                f'the table of roles gives series {series} the role "{role}"; '
                f"{nearest(role, ROLE_PLANE)}"
            )


def assign_roles(
    drafts: Sequence[StackDraft], override: str | None = None
) -> tuple[Guess, list[str | None]]:
    """Return the role of a series and the role of each of its stacks.

    Args:
        drafts: the stacks of one series; at least one.
        override: the role by the user's table.
    """
    main = _main_plane(drafts)
    planes = [_plane_in_series(draft, main, drafts) for draft in drafts]
    guesses = [
        _guess(draft, plane) if plane else Guess(None, 0.0, "lies across the main stacks")
        for draft, plane in zip(drafts, planes, strict=True)
    ]
    if override is not None:
        guesses = _overridden(drafts, guesses, planes, override)
    roles = _one_of_each_block(drafts, guesses)
    if override is not None:
        role = override if override not in SET_ASIDE else None
        return Guess(role or _localizer(override), 1.0, "by the table of roles"), roles
    if _is_localizer_series(drafts):
        return Guess("localizer", 0.9, "a localizer by its words, image type or planes"), [
            None
        ] * len(drafts)
    counted: Counter[str] = Counter()
    for draft, chosen in zip(drafts, roles, strict=True):
        if chosen:
            counted[chosen] += len(draft.frames)
    if not counted:
        return Guess(None, 0.0, guesses[0].reason), roles
    best = counted.most_common(1)[0][0]
    return max((g for g in guesses if g.role == best), key=lambda g: g.confidence), roles


def role_of_projection(header: Header) -> Guess:
    """Return the role of images without a place in the patient."""
    modality = header.text(tags.MODALITY).upper()
    if modality in {"CR", "DX", "RG", "DR"}:
        return Guess("photo_xray", 0.9, f"modality {modality}")
    if modality in {"XC", "GM", "ES", "OP", "DMS"}:
        return Guess("photo", 0.9, f"modality {modality}")
    return Guess(None, 0.0, f"modality {modality or 'unknown'} without a place in the patient")


def words_of(header: Header) -> str:
    """Return the descriptions of a series, upper case with single spaces."""
    parts = (tags.SERIES_DESCRIPTION, tags.PROTOCOL_NAME, tags.SEQUENCE_NAME)
    return re.sub(r"[^A-Z0-9*+]+", " ", " ".join(header.text(tag) for tag in parts).upper())


def _localizer(override: str) -> str | None:
    return "localizer" if override == "localizer" else None


def _main_plane(drafts: Sequence[StackDraft]) -> str:
    counted: Counter[str] = Counter()
    for draft in drafts:
        counted[draft.plane] += len(draft.frames) * (1 if draft.localizer else 1000)
    return counted.most_common(1)[0][0]


def _plane_in_series(draft: StackDraft, main: str, drafts: Sequence[StackDraft]) -> str | None:
    """Return the plane a stack counts for; None for a localizer that lies across the others."""
    if draft.localizer:
        return None
    axis, _ = PLANE_AXES[main]
    tilt = np.degrees(np.arccos(np.clip(abs(draft.planes.normal[0][axis]), 0, 1)))
    if tilt <= LARGEST_TILT_DEG:
        return main
    largest = max(len(other.frames) for other in drafts)
    if len(draft.frames) >= max(5, 0.3 * largest):
        return draft.plane
    return None


def _is_localizer_series(drafts: Sequence[StackDraft]) -> bool:
    if all(draft.localizer for draft in drafts):
        return True
    if LOCALIZER_WORDS.search(words_of(drafts[0].frames[0].header)):
        return True
    planes = {draft.plane for draft in drafts}
    return len(planes) == 3 and max(len(draft.frames) for draft in drafts) <= 7


def _guess(draft: StackDraft, plane: str) -> Guess:
    frame = draft.frames[0]
    header = frame.header
    modality = header.text(tags.MODALITY).upper()
    derived = DERIVED_WORDS & set(frame.image_type[2:])
    if derived:
        return Guess(None, 0.0, f"image type {sorted(derived)[0]}: a derived map")
    if modality == "CT":
        role = "ct" if plane == "axial" else f"{plane}_ct"
        return Guess(role, 0.95, f"modality CT, {plane} slices")
    if modality not in {"MR", ""}:
        return Guess(None, 0.0, f"modality {modality} has no role")
    words = words_of(header)
    weighting = weighting_of(words, _times(draft))
    if weighting.name is None:
        return Guess(None, 0.0, f"{plane} slices; {weighting.reason}")
    named = [name for name, pattern in PLANE_WORDS.items() if re.search(pattern, words)]
    agrees = not named or plane in named
    reason = f"{plane} slices{'' if agrees else f' (named {named[0]})'}; {weighting.reason}"
    confidence = weighting.confidence * (1.0 if agrees else 0.9)
    return Guess(f"{plane}_{weighting.name}", round(confidence, 3), reason)


def _times(draft: StackDraft) -> MrTimes:
    frame = draft.frames[0]
    header = frame.header
    sequence = set(header.text(tags.SCANNING_SEQUENCE).upper().split("\\"))
    return MrTimes(
        _number(frame.traits.get("EchoTime")),
        _number(frame.traits.get("RepetitionTime")) or header.number(tags.REPETITION_TIME),
        _number(frame.traits.get("InversionTime")),
        "GR" in sequence and "SE" not in sequence,
        "IR" in sequence,
    )


def _number(value: float | str | None) -> float | None:
    return value if isinstance(value, (int, float)) else None


def _overridden(
    drafts: Sequence[StackDraft],
    guesses: Sequence[Guess],
    planes: Sequence[str | None],
    override: str,
) -> list[Guess]:
    role = None if override in SET_ASIDE else override
    wanted = ROLE_PLANE.get(override, override.split("_", maxsplit=1)[0])
    fits = [plane == wanted for plane in planes]
    if not any(fits):  # the table knows better than the geometry
        fits = [not draft.localizer for draft in drafts]
    if not any(fits):
        fits = [True] * len(drafts)
    return [
        Guess(role, 1.0 if guess.role == role else 0.9, "by the table of roles")
        if fit
        else Guess(None, 0.0, "not of the plane of the role")
        for fit, guess in zip(fits, guesses, strict=True)
    ]


def _one_of_each_block(drafts: Sequence[StackDraft], guesses: Sequence[Guess]) -> list[str | None]:
    """Leave each role to one stack of a block: the most slices, then the surest, then the first."""
    roles: list[str | None] = [None] * len(drafts)
    best: dict[tuple[int, str], int] = {}
    for i, (draft, guess) in enumerate(zip(drafts, guesses, strict=True)):
        if guess.role is None:
            continue
        key = (draft.block, guess.role)
        now = best.get(key)
        if now is None or (len(draft.frames), guess.confidence) > (
            len(drafts[now].frames),
            guesses[now].confidence,
        ):
            best[key] = i
    for (_, role), i in best.items():
        roles[i] = role
    return roles
