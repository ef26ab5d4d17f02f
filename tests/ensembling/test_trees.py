"""Boosted trees as plain arrays answer as the library that grew them."""

import lightgbm
import numpy as np

from overread.ensembling.trees import answer, plant


def grown(rounds, num=300):
    rng = np.random.default_rng(0)
    features = rng.normal(size=(num, 4))
    grades = (features[:, 0] + features[:, 1] * features[:, 2] > 0).astype(int)
    settings = {"objective": "multiclass", "num_class": 3, "verbosity": -1, "num_threads": 1}
    data = lightgbm.Dataset(features, grades + (features[:, 3] > 1))
    return features, lightgbm.train(settings, data, rounds)


def test_trees_answer_as_lightgbm_does():
    """The sums of the leaves are LightGBM's raw scores."""
    features, booster = grown(6)
    trees = plant(booster.dump_model()["tree_info"])

    assert trees.shape[0] == 3 * 6
    assert np.allclose(booster.predict(features, raw_score=True), answer(trees, features, 3))


def test_a_tree_without_split_is_its_value():
    """A single leaf, as LightGBM leaves where too few units are, answers everybody alike."""
    trees = plant([{"tree_structure": {"leaf_value": 0.25}}] * 2)

    assert answer(trees, np.zeros((3, 1)), 2).tolist() == [[0.25, 0.25]] * 3
