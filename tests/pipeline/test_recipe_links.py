"""Kinds, teachers, folds and parts of a recipe: what leads to what, and what is refused."""

from pathlib import Path

import pytest

from overread.pipeline import RecipeError, graph_of, read_recipe, shipped_recipes
from overread.pipeline.recipe_reach import checkpoints, predictors_of, seen_locators
from overread.pipeline.step import in_order

TINY = shipped_recipes()["tiny/lumbar_3rd_place"]


def _refused(folder: Path, old: str, new: str) -> str:
    text = TINY.read_text()
    assert old in text
    path = folder / "r.yaml"
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(RecipeError) as refusal:
        read_recipe(path)
    return "\n".join(refusal.value.lines)


def test_a_kind_lies_between_the_defaults_and_what_is_said() -> None:
    """Defaults, then the kind, then the member itself, key by key."""
    recipe = read_recipe(TINY)
    middle = recipe.networks["middle_v1"]

    assert (middle.fit.epochs, middle.fit.mixup) == (5, 0.5)  # defaults, own
    assert (middle.augment.mirror, middle.augment.preset) == (0.5, "A")  # kind, defaults
    assert recipe.views["v8_side_ax"].one_side == 0.6
    assert recipe.keypoints["v4_one"].fit.epochs == 8


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("kind: middle", "kind: midle", 'members.middle_v1.kind: no kind "midle"; did you'),
        ("labels: v3, folds: [1]", "labels: v4, folds: [1]", 'no pseudo-labels "v4"'),
        ("folds: [1]", "folds: [2]", "members.center_v3.folds[0]: found 2, expected 0 to 1"),
        ("of: [side_v1]", "of: [side_v3]", "side_v3 is trained for folds [0] only"),
        ("{of: [center_hard],", "{of: [middle_v1],", "middle_v1 learns from v1 itself"),
        ("- of: [side_hard]", "- of: [sides]", "sides is an ensemble, which is joined out of fold"),
        ("taught_by: v4, learn", "taught_by: v5, learn", 'no locator "v5"'),
        ("of: [v4_wide, v4_one], neigh", "of: [v4_wide, canal], neigh", "canal has series:"),
        ("v4: {kind: sagittal, of: [v4_wide, v4_one], neighbours: 1}",
         "v4: {kind: sagittal, of: [v4_wide, v4_one]}", "v4_wide looks at 1 neighbours"),
        ("learn: all}", "learn: all, also: [more]}", 'no external dataset "more"'),
        ("targets: [spinal_canal_stenosis],\n     temp", "targets: [canal],\n     temp",
         'ensembles.canal_full.targets[0]: no target "canal"'),
    ],
)  # fmt: skip
def test_names_that_do_not_fit_are_told(tmp_path, old, new, sentence) -> None:
    """Where, what was found, and what is needed."""
    assert sentence in _refused(tmp_path, old, new)


def test_a_fault_of_a_kind_is_told_where_the_kind_stands(tmp_path) -> None:
    """Not once for each that names it."""
    said = _refused(
        tmp_path, "    heat: {radius: 2, alpha: 0.75", "    heat: {radios: 2, alpha: 0.75"
    )

    assert said.count("radios") == 1
    assert 'kinds.sagittal.heat.radios: unknown key; did you mean "radius"' in said


def test_the_final_predictor_needs_its_networks_and_locators_alone() -> None:
    """Teachers of pseudo-labels and earlier generations are left behind."""
    recipe = read_recipe(TINY)
    members = [name for name in predictors_of(recipe, recipe.final) if name in recipe.networks]

    assert set(recipe.networks) == set(members)
    assert seen_locators(recipe, members) == ("v6_plain", "v6_stretched", "discs", "canal")
    assert checkpoints(recipe, recipe.final) == {
        "locators": 2 + 1 + 2,
        "members": 2 * 3 + 1 + 1 + 1,
    }


def test_honest_teachers_are_networks_that_have_not_seen_the_fold(tmp_path) -> None:
    """What trains fold 0 comes from networks of fold 0 alone; published labels do not."""
    steps = {
        step.label: step for step in in_order(graph_of(read_recipe(TINY), None, tmp_path).goals)
    }
    honest = steps["fit/middle_v1.fold0"].inputs["labels"]

    assert honest.label == "pseudo/v1.fold0"
    assert honest.inputs["predictor.side_hard"].inputs["network"] is steps["fit/side_hard.fold0"]
    assert steps["fit/side_v1.fold1"].inputs["labels"].label == "pseudo/v1.fold1"
    assert steps["fit/center_v3.fold1"].inputs["labels"].label == "pseudo/v3"
    assert "fit/center_v3.fold0" not in steps


def test_choosing_networks_trains_none_anew(tmp_path) -> None:
    """Turned columns, weights, temperatures and networks for new studies change no training."""

    def keys(text: str) -> dict[str, str]:
        path = tmp_path / "r.yaml"
        path.write_text(text)
        goals = graph_of(read_recipe(path), None, tmp_path).goals
        return {step.label: step.key for step in in_order(goals)}

    text = TINY.read_text()
    before = keys(text)
    after = keys(
        text.replace(", flip: [v9_ax]", "").replace("new: [1], aug", "aug").replace("0.996", "0.9")
    )

    changed = {label.split("/")[0] for label in after if after[label] != before[label]}
    assert {"predict", "join", "score", "report"} == changed
