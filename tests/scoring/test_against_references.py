"""Each metric equals a reference library, weighted by the rubric, by subject counts and by site."""

import numpy as np
import pytest
from graded_tables import RUBRIC, arrays, repeated, tables
from scipy.stats import spearmanr
from sklearn import metrics as sk
from sklearn.calibration import calibration_curve

from overread.scoring import join, score
from overread.shelf import Named, names_on_shelf, settings_of


def log_loss(truth, predicted, target):
    weights = np.array(target.weights)[truth]
    grades = range(len(target.grades))
    return sk.log_loss(truth, predicted, labels=list(grades), sample_weight=weights)


def plain_log_loss(truth, predicted, target):
    return sk.log_loss(truth, predicted, labels=list(range(len(target.grades))))


def auc(truth, predicted, target):
    if target.scale == "nominal":
        return sk.roc_auc_score(truth, predicted, multi_class="ovr")
    return sk.roc_auc_score(truth == len(target.grades) - 1, predicted[:, -1])


def kappa(weights):
    def reference(truth, predicted, target):
        used = None if weights == "none" or target.scale == "nominal" else weights
        grades = list(range(len(target.grades)))
        return sk.cohen_kappa_score(truth, predicted.argmax(1), weights=used, labels=grades)

    return reference


def spearman(truth, predicted, target):
    expected = np.round(predicted @ np.arange(len(target.grades)), 12)
    return None if target.scale == "nominal" else spearmanr(expected, truth).statistic


def calibration(bins, strategy):
    def reference(truth, predicted, target):
        confidence, right = predicted.max(1), predicted.argmax(1) == truth
        shares, means = calibration_curve(right, confidence, n_bins=bins, strategy=strategy)
        inner = np.linspace(0, 1, bins + 1)
        borders = np.quantile(confidence, inner) if strategy == "quantile" else inner
        counts = np.bincount(np.searchsorted(borders[1:-1], confidence), minlength=bins)
        return np.abs(shares - means) @ counts[counts > 0] / len(truth)

    return reference


def accuracy(truth, predicted, target):
    return sk.accuracy_score(truth, predicted.argmax(1))


def balanced_accuracy(truth, predicted, target):
    return sk.balanced_accuracy_score(truth, predicted.argmax(1))


def macro_f1(truth, predicted, target):
    return sk.f1_score(truth, predicted.argmax(1), average="macro")


CASES = [
    ({"use": "log_loss"}, log_loss),
    ({"use": "log_loss", "weighted": False}, plain_log_loss),
    ({"use": "auc"}, auc),
    ({"use": "kappa"}, kappa("quadratic")),
    ({"use": "kappa", "weights": "linear"}, kappa("linear")),
    ({"use": "kappa", "weights": "none"}, kappa("none")),
    ({"use": "spearman"}, spearman),
    ({"use": "calibration_error", "bins": 10, "spacing": "equal"}, calibration(10, "uniform")),
    ({"use": "calibration_error", "bins": 8}, calibration(8, "quantile")),
    ({"use": "accuracy"}, accuracy),
    ({"use": "balanced_accuracy"}, balanced_accuracy),
    ({"use": "macro_f1"}, macro_f1),
]
COMPARED = {settings["use"] for settings, _ in CASES}


def named(settings):
    return Named.model_validate({**settings, "by_site": True})


def test_every_metric_is_compared():
    """A metric of the shelf is compared here, or in a test of its own with its original."""
    own = {"rsna2019_head_ct", "rsna2024_lumbar", "abstention", "pooled_log_loss"}
    assert set(names_on_shelf("overread.scoring")) == COMPARED | own


@pytest.mark.parametrize("skill", [0.0, 1.5])
@pytest.mark.parametrize(
    ("settings", "reference"), CASES, ids=lambda value: getattr(value, "__name__", str(value))
)
def test_equals_reference(settings, reference, skill):
    """Targets, targets at sites, and the mean over targets equal the reference."""
    labels, predictions = tables(seed=3, skill=skill)
    values = {
        (one.target, one.slice): one.value
        for one in score(named(settings), labels, predictions, RUBRIC)
    }
    expected = {
        (target.name, site): reference(
            *arrays(labels, predictions, target.name, RUBRIC.sites if site is None else [site]),
            target,
        )
        for target in RUBRIC.targets
        for site in (None, *RUBRIC.sites)
    }
    expected = {key: value for key, value in expected.items() if value is not None}
    whole = [value for (_, site), value in expected.items() if site is None]
    expected[None, None] = float(np.mean(whole))

    assert set(expected) == set(values)
    for key, value in expected.items():
        assert value == pytest.approx(values[key], abs=1e-12), key


@pytest.mark.parametrize("name", sorted(COMPARED - {"calibration_error"}))
def test_a_weight_of_two_counts_twice(name):
    """Weights by subject give what a table in which the subject's rows stand that often gives."""
    # Calibration errors are left out: borders of bins are those of the whole table.
    labels, predictions = tables(12, seed=5)
    module, spec = settings_of("overread.scoring", Named(use=name))
    exam = join(RUBRIC, labels, predictions)
    counts = np.random.default_rng(1).integers(0, 4, len(exam.subjects))
    ours = [
        float(one.weighed(counts[None].astype(float))[0]) for one in module.measures(spec, exam)
    ]
    more = repeated(labels, predictions, counts.tolist())
    expected = [one.value for one in score(Named(use=name), *more, RUBRIC)]

    assert expected == pytest.approx(ours, abs=1e-9)
