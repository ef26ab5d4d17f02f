"""What an ensemble does with answers before its joiner sees them."""

import numpy as np
import polars as pl
import pytest

from overread.inference import EnsembleSpec
from overread.records import Predictions


def answers(chances: list[float], target: str = "canal") -> Predictions:
    """One answer of one member."""
    row = {
        "unit": "1",
        "study": "1",
        "subject": "1",
        "site": None,
        "target": target,
        "probabilities": chances,
        "fold": 0,
        "predictor": "a",
        "role": "oof",
    }
    return Predictions(pl.DataFrame([row], schema=Predictions.schema))


def test_a_temperature_divides_logits() -> None:
    """Probabilities are those of logits / T."""
    logits = np.array([0.3, -1.2, 2.0])
    softmax = lambda z: np.exp(z) / np.exp(z).sum()  # noqa: E731
    spec = EnsembleSpec(use="mean", of=("a",), temperature=0.9)
    (found,) = spec.prepared([answers(softmax(logits).tolist())])

    assert found.frame["probabilities"][0].to_list() == pytest.approx(softmax(logits / 0.9))


def test_answers_to_other_targets_are_left_out() -> None:
    """A table without any answer to the ensemble's targets does not reach the joiner."""
    tables = [answers([0.5, 0.5]), answers([0.1, 0.9], "left")]
    spec = EnsembleSpec(use="mean", of=("a", "b"), targets=("left",))

    assert [table.frame["target"][0] for table in spec.prepared(tables)] == ["left"]


def test_the_joiner_gets_its_own_settings_alone() -> None:
    """`of`, `targets` and `temperature` are the ensemble's."""
    spec = EnsembleSpec.model_validate(
        {"use": "mean", "of": ["a"], "temperature": 0.9, "weights": {"a": 2}}
    )

    assert spec.joiner.identity() == {"use": "mean", "weights": {"a": 2}}
    assert spec.own() == {"of": ["a"], "temperature": 0.9}
    assert EnsembleSpec(use="mean", of=("a",)).own() == {"of": ["a"]}
