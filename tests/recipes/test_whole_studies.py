"""Recipes of whole studies and of two planes: their trials, and what is refused."""

import pytest

from overread.pipeline import plan, read_recipe, shipped_recipes

FORAMINA = ("left_neural_foraminal_narrowing", "right_neural_foraminal_narrowing")


@pytest.mark.parametrize(
    ("name", "runs", "folds"), [("lumbar_stack40", 9, 45), ("lumbar_dual_view", 13, 65)]
)
def test_trials_are_those_of_the_original(name, runs, folds, tmp_path) -> None:
    """Each trial that differs in data or network is planned, in five folds."""
    totals = plan(read_recipe(shipped_recipes()[name]), tmp_path, tmp_path / "store").totals

    assert (totals["training_runs"], totals["fold_trainings"]) == (runs, folds)


def test_the_slice_budget_of_a_study_is_forty() -> None:
    """Ten T1, ten T2 and twenty axial slices; the split networks see one series each."""
    recipe = read_recipe(shipped_recipes()["lumbar_stack40"])
    counts = {name: view.slices.count for name, view in recipe.views.items()}
    split = {name: one for name, one in recipe.networks.items() if name.startswith("split")}

    assert [counts[name] for name in recipe.networks["conv"].views] == [10, 10, 20]
    assert {len(one.views) for one in split.values()} == {1}
    assert all(one.reads == "study" for one in recipe.networks.values())
    assert split["split_t1"].targets == FORAMINA


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        ("lumbar_stack40", "axial: {kind: axial, pixels: [512, 512]}",
         "axial: {kind: axial, pixels: [512, 448]}", "one size in pixels"),
        ("lumbar_dual_view", "stems: {axial_384: 30}, backbone: convnext_nano",
         "backbone: convnext_nano", "twice the size and a stem"),
        ("lumbar_dual_view", "    reads: study\n    loss:", "    loss:", "set reads: study"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told_when_the_recipe_is_read(name, old, new, words, tmp_path) -> None:
    """Sizes of views, backbones and losses are checked before anything runs."""
    text = shipped_recipes()[name].read_text()
    assert text.count(old) == 1
    (tmp_path / "r.yaml").write_text(text.replace(old, new))

    with pytest.raises(ValueError, match=words):
        read_recipe(tmp_path / "r.yaml")
