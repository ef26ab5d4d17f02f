"""Labels beside out-of-fold answers, laid out by study and site; answers made calibrated.

Networks are trained with weights that make rare grades more probable than they are. Evidence needs
probabilities that can be believed, so each question gets one temperature and one offset a grade,
fitted to the labels by maximum likelihood (Guo et al., On Calibration of Modern Neural Networks,
2017): a few numbers for thousands of labels, which no wrong label can bend. Left and right share
them. Knows no files and no studies' pixels.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.optimize import minimize

from overread.auditing.spec import AuditSpec
from overread.records import Labels, Predictions, RecordError, Rubric, Target

__all__ = ["Answers", "lay_out_answers"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Answers:
    """One question in all studies.

    Attributes:
        target: the question.
        studies: (s,) ids, the same for all questions.
        subjects: (s,) persons.
        sites: (l,) of the rubric; (None,) where it has none.
        truth: (s, l, grades); NaN where not graded.
        said: (s, l, grades) as predicted; NaN where nothing was.
        believed: (s, l, grades) calibrated; the share of each grade where nothing was predicted.
        prior: (grades,) share of each grade over all sites.
    """

    target: Target
    studies: tuple[str, ...]
    subjects: tuple[str, ...]
    sites: tuple[str | None, ...]
    truth: Floats
    said: Floats
    believed: Floats
    prior: Floats

    @property
    def graded(self) -> NDArray[np.bool_]:
        """(s, l) whether there is a label."""
        return np.asarray(np.isfinite(self.truth).all(axis=2))

    @property
    def answered(self) -> NDArray[np.bool_]:
        """(s, l) whether there is an answer."""
        return np.asarray(np.isfinite(self.said).all(axis=2))


def lay_out_answers(
    rubric: Rubric, labels: Labels, predictions: Predictions, *, spec: AuditSpec
) -> list[Answers]:
    """Put labels beside answers, a record for each question that has both.

    Args:
        rubric: whose unit is a study or a study at a site; slices and photos stand one by one.
        labels: pseudo-labels are left out.
        predictions: of one predictor, out of fold.
        spec: settings.

    Raises:
        RecordError: if there are several predictors, or no graded unit is predicted.
    """
    names = sorted(predictions.frame["predictor"].unique())
    if len(names) != 1:
        raise RecordError(f"one predictor at a time can be audited, found {names}; choose one")
    known = labels.known().frame.filter(pl.col("origin") != "pseudo")
    # A unit that is no study at a site stands alone: what is shown as study is then the unit.
    key = "study" if rubric.unit in ("site", "study") else "unit"
    both = pl.concat([one.select("subject", study=key) for one in (known, predictions.frame)])
    people = both.unique("study", keep="first", maintain_order=True).sort("study")
    rows = {study: index for index, study in enumerate(people["study"])}
    sites: tuple[str | None, ...] = rubric.sites if rubric.unit == "site" else (None,)
    columns = {site: index for index, site in enumerate(sites)}
    shape = (len(rows), len(sites))
    raw = {
        target.name: (
            _placed(known, key, target, (rows, columns), shape),
            _placed(predictions.frame, key, target, (rows, columns), shape),
        )
        for target in rubric.targets
    }
    raw = {name: pair for name, pair in raw.items() if _overlap(*pair)}
    if not raw:
        raise RecordError(
            f"no graded unit is predicted: {len(labels)} labels, {len(predictions)} predictions; "
            "check that study ids and sites are written alike"
        )
    scales = {name: _scale(rubric, name, raw, spec) for name in raw}
    return [
        Answers(
            rubric.target(name),
            tuple(people["study"]),
            tuple(people["subject"]),
            sites,
            truth,
            said,
            *_believed(truth, said, scales[name], spec.floor),
        )
        for name, (truth, said) in raw.items()
    ]


def _placed(
    frame: pl.DataFrame,
    key: str,
    target: Target,
    places: tuple[dict[str, int], dict[str | None, int]],
    shape: tuple[int, int],
) -> Floats:
    grades = len(target.grades)
    values = np.full((*shape, grades), np.nan)
    rows = frame.filter(pl.col("target") == target.name)
    if not len(rows):
        return values
    if set(rows["probabilities"].list.len().unique()) != {grades}:
        raise RecordError(f"{target.name} has {grades} grades; a row has another number")
    at = [places[0][study] for study in rows[key]]
    site = [places[1].get(site, 0) for site in rows["site"]]
    values[at, site] = rows["probabilities"].explode().to_numpy().reshape(-1, grades)
    return values


def _overlap(truth: Floats, said: Floats) -> int:
    return int((np.isfinite(truth).all(axis=2) & np.isfinite(said).all(axis=2)).sum())


def _scale(
    rubric: Rubric, name: str, raw: dict[str, tuple[Floats, Floats]], spec: AuditSpec
) -> Floats:
    """Return (grades,): log temperature, then the offset of each grade after the first."""
    partners = sorted({name, rubric.partner(name)} & set(raw))
    truth, said = (np.concatenate([raw[one][side] for one in partners]) for side in (0, 1))
    used = np.isfinite(truth).all(axis=2) & np.isfinite(said).all(axis=2)
    grades = truth.shape[2]
    if used.sum() < spec.fewest:
        return np.zeros(grades)
    logits, answer = np.log(np.maximum(said[used], spec.floor)), truth[used]

    def loss(scale: Floats) -> tuple[float, Floats]:
        chances = _softmax(_scaled(logits, scale))
        wrong = chances - answer
        slope = np.concatenate(
            [[(wrong * logits).sum() * np.exp(-scale[0]) * -1], wrong[:, 1:].sum(axis=0)]
        )
        return -float((answer * np.log(chances + 1e-300)).sum()) / len(answer), slope / len(answer)

    return np.asarray(minimize(loss, np.zeros(grades), jac=True, method="BFGS").x)


def _scaled(logits: Floats, scale: Floats) -> Floats:
    return np.asarray(logits * np.exp(-scale[0]) + np.concatenate([[0.0], scale[1:]]))


def _believed(truth: Floats, said: Floats, scale: Floats, floor: float) -> tuple[Floats, Floats]:
    """Return believed probabilities (s, l, grades), and the prior (grades,)."""
    counts = np.nansum(truth, axis=(0, 1)) + 1
    prior = counts / counts.sum()
    per_site = np.nansum(truth, axis=0) + prior
    per_site /= per_site.sum(axis=1, keepdims=True)
    chances = _softmax(_scaled(np.log(np.maximum(said, floor)), scale))
    chances = np.where(np.isfinite(chances), chances, per_site[None])
    chances = np.maximum(chances, floor)
    return chances / chances.sum(axis=2, keepdims=True), prior


def _softmax(logits: Floats) -> Floats:
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True))
