"""The compact recipe costs what it says, is honest, and each of its switches is a line."""

from pathlib import Path

import pytest

from overread.inference import member_heads
from overread.pipeline import Plan, plan, read_recipe, shipped_recipes
from overread.pipeline.recipe import Recipe, rubric_of
from overread.pipeline.recipe_reach import slice_passes


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    """The recipe that ships."""
    return read_recipe(shipped_recipes()["lumbar_compact"])


@pytest.fixture(scope="module")
def planned(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """Its plan for a folder of nothing."""
    folder = tmp_path_factory.mktemp("data")
    return plan(recipe, folder, folder / "store")


def test_it_shows_its_networks_a_tenth_of_the_slices(recipe: Recipe, planned: Plan) -> None:
    """Counted in the plans: less than a tenth of the 3rd place, as it is here and as published."""
    other = read_recipe(shipped_recipes()["lumbar_3rd_place"])
    rubric = rubric_of(other)
    sides = {name: one for name, one in other.networks.items() if one.mirror == "shared"}
    twice = slice_passes(other.model_copy(update={"members": sides}), rubric)
    here = slice_passes(other, rubric)

    assert planned.totals["slice_passes_per_unit"] == 3 * 5 * 20 * (15 + 15 + 6) * 4 // 5
    assert (here, here + twice) == (94_880, 145_760)
    assert 10 * planned.totals["slice_passes_per_unit"] <= here
    assert f"{here:,}" in recipe.about.notes
    assert f"{here + twice:,}" in recipe.about.notes


def test_one_trunk_has_three_heads(recipe: Recipe) -> None:
    """One encoder for all planes; heads for the canal, a foramen and a recess."""
    heads = {
        "spinal_canal_stenosis",
        "left_neural_foraminal_narrowing",
        "left_subarticular_stenosis",
    }
    for member in recipe.networks.values():
        assert member.model.settings["shared"] is True
        assert set(member_heads(rubric_of(recipe), member)) == heads


def test_all_folds_are_trained_and_pupils_are_blind_to_theirs(planned: Plan) -> None:
    """Five folds of five trainings; what fills labels of a fold is its own teacher."""
    totals = planned.totals
    steps = {one.step.label: one.step for one in planned.steps}
    labels = steps["fit/v9.fold3"].inputs["labels"]

    assert (totals["training_runs"], totals["fold_trainings"]) == (5, 25)
    assert (totals["locator_checkpoints"], totals["member_checkpoints"]) == (10, 15)
    assert [step.label for role, step in labels.inputs.items() if "predictor" in role] == [
        "teach/v11.fold3"
    ]
    assert planned.to_json()["caveats"] == []


@pytest.mark.parametrize(
    ("line", "without"),
    [("slice_shift: 2", "slice_shift: 0"), ("shift: 0.12", "shift: 0"), (", neighbours]", "]")],
)
def test_a_switch_is_a_line(line: str, without: str, tmp_path: Path) -> None:
    """The recipe still reads without one of its switches."""
    text = shipped_recipes()["lumbar_compact"].read_text()
    path = tmp_path / "r.yaml"
    path.write_text(text.replace(line, without))

    assert text.count(line) == 1
    assert read_recipe(path) != read_recipe(shipped_recipes()["lumbar_compact"])
