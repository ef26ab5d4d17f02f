"""The same pixels under two names: copies between persons, and between folds.

A fingerprint (the signs of the 63 lowest cosines of a small picture; Zauner, Implementation and
Benchmarking of Perceptual Image Hash Functions, 2010) names the candidates, and the decoded
pictures decide. Brightness, contrast and a change of size do not hide a copy; nor does a mirror,
which is looked for too. Knows no files: pictures come as arrays.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn

from overread.auditing.review import Suspicion
from overread.auditing.spec import AuditSpec

__all__ = ["Copy", "Picture", "copied_pictures", "find_copies", "fingerprint", "picture_of"]

Floats = NDArray[np.float64]
WAYS = ("as it is", "mirrored left to right", "mirrored top to bottom", "turned by half")
SMALL = 32
AT_ONCE = 512
CERTAIN = 1000.0


@dataclass(frozen=True, eq=False)
class Picture:
    """What is kept of an image to tell its copies.

    Attributes:
        name: of the image, such as study/series/slice.
        study: whose it is.
        subject: the person.
        thumb: (t, t) grey values with mean 0 and length 1; all 0 for an image without contrast.
        small: (4, 64) fingerprints as -1 and 1: as it is, and in the three mirrored ways.
        exact: hash of the decoded values.
    """

    name: str
    study: str
    subject: str
    thumb: Floats
    small: NDArray[np.int8]
    exact: str


@dataclass(frozen=True)
class Copy:
    """Two pictures with the same content.

    Attributes:
        first, second: names.
        studies, subjects: of both.
        correlation: of the grey values, 1 for identical ones.
        way: how the second shows it.
        identical: whether every decoded value is the same.
    """

    first: str
    second: str
    studies: tuple[str, str]
    subjects: tuple[str, str]
    correlation: float
    way: str
    identical: bool


def picture_of(
    image: NDArray[np.generic], name: str, study: str, subject: str, *, spec: AuditSpec
) -> Picture:
    """Return what is kept of an image.

    Args:
        image: (rows, columns) or (rows, columns, channels), decoded.
        name: of the image.
        study: whose it is.
        subject: the person.
        spec: settings.
    """
    grey = np.asarray(image, np.float64)
    grey = grey.mean(axis=2) if grey.ndim == 3 else grey
    thumb = _resized(grey, spec.thumb)
    thumb = thumb - thumb.mean()
    length = float(np.linalg.norm(thumb))
    flat = length <= 1e-6 * max(1.0, float(np.abs(grey).max())) * spec.thumb
    thumb = np.zeros_like(thumb) if flat else thumb / length
    prints = np.stack([fingerprint(way) for way in _ways(thumb)])
    bytes_of = f"{image.shape} {image.dtype} ".encode() + np.ascontiguousarray(image).tobytes()
    exact = hashlib.sha256(bytes_of).hexdigest()
    return Picture(name, study, subject, thumb, prints, exact)


def fingerprint(image: Floats) -> NDArray[np.int8]:
    """Return (64,) signs of the lowest cosines against their median; the constant one is 1."""
    low = dctn(_resized(np.asarray(image, np.float64), SMALL), norm="ortho")[:8, :8].ravel()
    signs = np.where(low > np.median(low[1:]), 1, -1).astype(np.int8)
    signs[0] = 1
    return signs


def find_copies(pictures: Iterable[Picture], *, spec: AuditSpec) -> list[Copy]:
    """Return pairs of pictures of different persons or studies that show the same.

    Neighbouring slices of one study look alike and are not compared. Pictures without contrast are
    skipped.

    Args:
        pictures: of a whole set.
        spec: settings.
    """
    kept = [one for one in pictures if one.thumb.any()]
    if len(kept) < 2:
        return []
    prints = np.stack([one.small for one in kept]).astype(np.float32)
    found: dict[tuple[int, int], Copy] = {}
    for way in range(len(WAYS)):
        for start in range(0, len(kept), AT_ONCE):
            agreeing = prints[start : start + AT_ONCE, 0] @ prints[:, way].T
            near = np.argwhere((64 - agreeing) / 2 <= spec.hash_bits)
            for row, high in near.tolist():
                low = start + row
                if low < high and kept[low].study != kept[high].study:
                    copy = _compare(kept[low], kept[high], way)
                    if copy.correlation >= spec.same_pixels:
                        found.setdefault((low, high), copy)
    return list(found.values())


def copied_pictures(
    copies: Iterable[Copy], folds: Mapping[str, int], *, spec: AuditSpec
) -> list[Suspicion]:
    """Refuse copies that lie in two folds; show those between persons of one fold.

    Args:
        copies: of `find_copies`.
        folds: {subject: fold}; empty where there are none.
        spec: settings.
    """
    found = []
    for copy in copies:
        here, there = (folds.get(subject) for subject in copy.subjects)
        same_person = copy.subjects[0] == copy.subjects[1]
        torn = here is not None and there is not None and here != there
        what = "identical pixels" if copy.identical else f"correlation {copy.correlation:.3f}"
        where = f" in folds {here} and {there}" if torn else ""
        told = (
            f"{copy.first} and {copy.second} show the same image ({what}, {copy.way}){where}; "
            "expected other images of another "
            f"{'study' if same_person else 'subject'}; keep one, or give both one subject"
        )
        verdict = "refuse" if torn else "note" if same_person else "review"
        evidence = CERTAIN if copy.identical else CERTAIN * copy.correlation / 2
        found.append(
            Suspicion("duplicate", verdict, evidence, told, copy.studies[0])  # type: ignore[arg-type]
        )
    return found[: spec.most_shown]


def _compare(one: Picture, other: Picture, way: int) -> Copy:
    turned = _ways(other.thumb)[way]
    identical = way == 0 and one.exact == other.exact
    return Copy(
        one.name,
        other.name,
        (one.study, other.study),
        (one.subject, other.subject),
        1.0 if identical else float((one.thumb * turned).sum()),
        WAYS[way],
        identical,
    )


def _ways(image: Floats) -> tuple[Floats, ...]:
    return image, image[:, ::-1], image[::-1], image[::-1, ::-1]


def _resized(image: Floats, side: int) -> Floats:
    """Return the mean over (side, side) cells; cells overlap where the image is smaller."""
    rows, columns = (_cells(length, side) for length in image.shape)
    return np.asarray(rows @ image @ columns.T)


def _cells(length: int, side: int) -> Floats:
    """Return (side, length) weights: how much of each pixel lies in each cell, summing to 1."""
    edges = np.linspace(0, length, side + 1)
    pixel = np.arange(length)
    covered = np.minimum(edges[1:, None], pixel + 1) - np.maximum(edges[:-1, None], pixel)
    covered = np.maximum(covered, 0.0)
    return np.asarray(covered / covered.sum(axis=1, keepdims=True))
