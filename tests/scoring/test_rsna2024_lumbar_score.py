"""The official lumbar score by hand: closed forms, terms, and what the original refuses."""

import numpy as np
import polars as pl
import pytest
from graded_tables import RUBRIC as OTHER
from graded_tables import labels_of, predictions_of, repeated, tables

from overread.records import RecordError, Rubric, Target
from overread.scoring import join, rsna2024_lumbar, score
from overread.shelf import Named

GRADES = ("normal_mild", "moderate", "severe")
RUBRIC = Rubric(
    "lumbar",
    "site",
    tuple(
        Target(name, GRADES, (1.0, 2.0, 4.0))
        for name in ("spinal_canal", "left_foraminal", "left_subarticular")
    ),
    ("L4/L5", "L5/S1"),
)


def table(grades, predicted):
    """Tables of {(study, site, target): grade or None}, all predicted alike or by (key)."""
    rows = [
        {
            "unit": f"{study}@{site}",
            "study": study,
            "subject": study,
            "site": site,
            "target": target,
            "truth": None if grade is None else np.eye(3)[grade].tolist(),
            "predicted": predicted(study, site, target) if callable(predicted) else predicted,
        }
        for (study, site, target), grade in grades.items()
    ]
    frame = pl.DataFrame(rows, schema_overrides={"truth": pl.List(pl.Float64)})
    return labels_of(frame), predictions_of(frame)


def terms(labels, predictions, **settings):
    """{term: (value, n)}; the total is called None."""
    named = Named.model_validate({"use": "rsna2024_lumbar", **settings})
    values = score(named, labels, predictions, RUBRIC)
    return {one.slice: (one.value, one.n) for one in values}


def studies(*spinal):
    """Studies a, b, ... with these spinal grades at L4/L5, and mild sides."""
    grades = {}
    for name, grade in zip("abcdef", spinal, strict=False):
        for target in RUBRIC.names:
            grades[name, "L4/L5", target] = grade if target == "spinal_canal" else 0
            grades[name, "L5/S1", target] = 0
    return grades


def test_uniform_predictions_have_a_closed_form():
    """One third everywhere: ln 3 a group; any-severe weighs ln 3 by 4 and ln 1.5 by 1 and 2."""
    found = terms(*table(studies(2, 1, 0), [1 / 3] * 3))
    any_severe = (4 * np.log(3) + 2 * np.log(1.5) + 1 * np.log(1.5)) / 7

    assert [np.log(3)] * 3 == pytest.approx(
        [found[name][0] for name in ("spinal", "foraminal", "subarticular")]
    )
    assert any_severe == pytest.approx(found["any_severe"][0])
    assert (3 * np.log(3) + any_severe) / 4 == pytest.approx(found[None][0])
    assert {name: n for name, (_, n) in found.items()} == {
        None: 18,
        "spinal": 6,
        "foraminal": 6,
        "subarticular": 6,
        "any_severe": 3,
    }


def test_terms_sum_to_the_score_with_any_scalar():
    """The score is the mean of the terms, in which any-severe has its own weight."""
    tables_ = table(studies(2, 1, 0), [0.6, 0.3, 0.1])
    for scalar in (0.0, 1.0, 2.5):
        found = {
            name: value for name, (value, _) in terms(*tables_, any_severe_scalar=scalar).items()
        }
        total = found.pop(None)
        expected = sum(found.values()) + (scalar - 1) * found["any_severe"]

        assert expected / (3 + scalar) == pytest.approx(total)


def test_swapped_groups_are_noticed():
    """Bad spinal predictions cost more than equally bad foraminal ones: they enter two terms."""

    def bad(where):
        def predicted(_study, _site, target):
            return [0.1, 0.1, 0.8] if where in target else [0.9, 0.05, 0.05]

        return terms(*table(studies(0, 0, 2), predicted))[None][0]

    assert bad("spinal") != pytest.approx(bad("foraminal"))


def test_any_severe_takes_the_worst_graded_level():
    """Only graded spinal levels count: for truth, weight and the predicted maximum alike."""
    grades = studies(2, 0)
    grades["a", "L5/S1", "spinal_canal"] = None
    chances = {"L4/L5": [0.5, 0.3, 0.2], "L5/S1": [0.0, 0.1, 0.9]}
    found = terms(*table(grades, lambda _study, site, _target: chances[site]))
    # Study a: severe, 0.2 predicted at its only graded level. Study b: mild, 0.9 predicted.
    expected = (4 * -np.log(0.2) + 1 * -np.log(0.1)) / 5

    assert expected == pytest.approx(found["any_severe"][0])


@pytest.mark.parametrize("spinal", [(0, 1, 1), (2, 2, 2)])
def test_one_sided_tables_are_null_unless_asked(spinal):
    """Where the original raises, term and total are null; "formula" computes the log loss."""
    pair = table(studies(*spinal), [0.5, 0.3, 0.2])
    refused, computed = terms(*pair), terms(*pair, one_sided="formula")

    assert (refused[None][0], refused["any_severe"][0]) == (None, None)
    assert refused["spinal"][0] == computed["spinal"][0] is not None
    expected = -np.log(0.2) if spinal[0] == 2 else -np.log(0.8)
    assert expected == pytest.approx(computed["any_severe"][0])
    assert computed[None][0] is not None


def test_clipping_follows_the_precision():
    """A wrong certainty costs 36.04 in float64 and 15.94 in float32."""
    pair = table(studies(2, 0), [0.0, 1.0, 0.0])

    assert pytest.approx(terms(*pair)["spinal"][0], abs=1e-4) == 36.0437
    assert pytest.approx(terms(*pair, precision="float32")["spinal"][0], abs=1e-4) == 15.9424


def test_weights_by_subject_equal_repeated_tables():
    """A bootstrap replicate is the score of a table in which subjects stand as often as drawn."""
    rng = np.random.default_rng(3)
    grades = {
        (f"s{study}", site, target): [0, 1, 2, None][rng.integers(4)]
        for study in range(12)
        for site in RUBRIC.sites
        for target in RUBRIC.names
    }
    labels, predictions = table(grades, lambda *_: rng.dirichlet((1, 1, 1)).tolist())
    exam = join(RUBRIC, labels, predictions)
    counts = rng.integers(0, 4, len(exam.subjects))
    spec = rsna2024_lumbar.Spec()
    ours = [
        float(one.weighed(counts[None].astype(float))[0])
        for one in rsna2024_lumbar.measures(spec, exam)
    ]
    expected = [
        value for value, _ in terms(*repeated(labels, predictions, counts.tolist())).values()
    ]

    assert expected == pytest.approx(ours, abs=1e-12)


def test_another_rubric_is_told():
    """A rubric without such targets is refused by name."""
    named = Named(use="rsna2024_lumbar")

    with pytest.raises(RecordError, match=r"spinal / foraminal / subarticular.*degeneration"):
        score(named, *tables(), OTHER)
