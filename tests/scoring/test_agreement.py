"""Agreement of readers equals the reference libraries, and holds on real reads."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import aggregate_raters
from statsmodels.stats.inter_rater import fleiss_kappa as reference_fleiss

from overread.records import RecordError
from overread.scoring.agreement import (
    AgreementSpec,
    agreement,
    cohen_kappa,
    fleiss_kappa,
    gwet_ac,
    percent_agreement,
)

NAN = np.nan
# Four raters, twelve units, five grades: Gwet, Handbook of Inter-Rater Reliability (2014), table
# 4.10; results as in the tables that follow it.
HANDBOOK = (
    np.array(
        [
            [1, 1, NAN, 1],
            [2, 2, 3, 2],
            [3, 3, 3, 3],
            [3, 3, 3, 3],
            [2, 2, 2, 2],
            [1, 2, 3, 4],
            [4, 4, 4, 4],
            [1, 1, 2, 1],
            [2, 2, 2, 2],
            [NAN, 5, 5, 5],
            [NAN, NAN, 1, 1],
            [NAN, NAN, 3, NAN],
        ]
    )
    - 1
)


def _graded(seed: int, readers: int = 3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    truth = rng.integers(4, size=200)
    return np.clip(truth[:, None] + rng.integers(-1, 2, (200, readers)), 0, 3).astype(float)


@pytest.mark.parametrize("weights", ["none", "linear", "quadratic"])
def test_cohen_equals_scikit_learn(weights) -> None:
    """Also weighted."""
    one, two = _graded(0, 2).T
    expected = cohen_kappa_score(one, two, weights=None if weights == "none" else weights)

    assert pytest.approx(expected, abs=1e-9) == cohen_kappa(
        np.stack([one, two], 1), grades=4, weights=weights
    )


def test_fleiss_equals_statsmodels() -> None:
    """Four readers."""
    values = _graded(1, 4)

    assert pytest.approx(reference_fleiss(aggregate_raters(values)[0]), abs=1e-9) == fleiss_kappa(
        values, grades=4
    )


def test_gwet_equals_the_handbook() -> None:
    """AC1 and the share of agreement of the book's example, which has missing grades."""
    assert pytest.approx(0.81818, abs=5e-6) == percent_agreement(HANDBOOK, grades=5)
    assert pytest.approx(0.77544, abs=5e-6) == gwet_ac(HANDBOOK, grades=5)


def test_weighted_gwet_forgives_neighbours() -> None:
    """AC2 is above AC1 where readers differ by one grade only, and 1 where they never differ."""
    values = _graded(2)
    perfect = np.repeat(values[:, :1], 3, axis=1)

    assert gwet_ac(values, grades=4, weights="quadratic") > gwet_ac(values, grades=4)
    assert pytest.approx(1.0) == gwet_ac(perfect, grades=4, weights="linear")


def test_a_rare_finding_lowers_kappa_but_not_ac1() -> None:
    """Two readers who agree on 98 of 100 negatives: the paradox of kappa."""
    values = np.zeros((100, 2))
    values[0, 0] = values[1, 1] = 1

    assert cohen_kappa(values, grades=2) < 0
    assert gwet_ac(values, grades=2) > 0.97


def test_one_grade_only_is_undefined() -> None:
    """Kappa says nothing where everybody says the same; the interval is empty too."""
    found = agreement(
        {"a": np.zeros(9), "b": np.zeros(9)}, grades=2, spec=AgreementSpec(bootstrap=20)
    )

    assert (found[0].value, found[0].low) == (None, None)


def test_an_interval_draws_whole_people() -> None:
    """Ten units each of twenty people: the interval is wider than that of two hundred people."""
    values = np.repeat(_graded(3)[:20], 10, axis=0)
    readers = {str(index): column for index, column in enumerate(values.T)}
    spec = AgreementSpec(bootstrap=200)
    people = np.repeat(np.arange(20), 10)
    by_unit, by_person = (
        agreement(readers, grades=4, ordered=False, subjects=who, spec=spec)[-1]
        for who in (None, people)
    )

    assert by_unit.value == by_person.value
    assert by_person.high - by_person.low > 2 * (by_unit.high - by_unit.low)


def test_odd_grades_and_single_readers_are_refused() -> None:
    """A grade that is none, and a reader alone."""
    with pytest.raises(RecordError, match="whole numbers from 0 to 1"):
        cohen_kappa([[0, 2]], grades=2)
    with pytest.raises(RecordError, match="two readers"):
        agreement({"a": [0, 1]}, grades=2, spec=AgreementSpec())


def test_real_reads_of_head_ct(real_data: Path) -> None:
    """CQ500: any hemorrhage .77 to .81, subdural .485 to .60, equal to the references."""
    table = pl.read_csv(real_data / "head_ct" / "cq500" / "reads.csv")
    for finding, low, high in (("ICH", 0.765, 0.81), ("SDH", 0.485, 0.60)):
        readers = {name: table[f"{name}:{finding}"].to_numpy() for name in ("R1", "R2", "R3")}
        found = agreement(readers, grades=2, ordered=False, spec=AgreementSpec(bootstrap=50))
        pairs = [one for one in found if one.statistic == "cohen"]
        expected = [cohen_kappa_score(*(readers[name] for name in one.readers)) for one in pairs]
        [fleiss] = [one.value for one in found if one.statistic == "fleiss"]
        counts = aggregate_raters(np.stack(list(readers.values()), 1))[0]

        assert pytest.approx(expected, abs=1e-9) == [one.value for one in pairs]
        assert pytest.approx(reference_fleiss(counts), abs=1e-9) == fleiss
        assert all(low <= one.value <= high for one in pairs)
        assert all(one.low < one.value < one.high for one in pairs)
