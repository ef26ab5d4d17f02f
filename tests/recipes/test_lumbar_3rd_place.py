"""The recipe of the whole published system adds up to what its description counts."""

from pathlib import Path

import pytest

from overread.pipeline import Plan, plan, read_recipe, resolved_part, shipped_recipes
from overread.pipeline.recipe import Recipe


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    """The recipe that ships."""
    return read_recipe(shipped_recipes()["lumbar_3rd_place"])


@pytest.fixture(scope="module")
def planned(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """Its plan for a folder of nothing."""
    folder = tmp_path_factory.mktemp("data")
    return plan(recipe, folder, folder / "store")


def test_trainings_are_those_of_the_original(planned: Plan) -> None:
    """12 runs of locators and 50 of graders; partial folds; two pseudo-label rounds."""
    totals = planned.totals

    assert (totals["training_runs"], totals["fold_trainings"]) == (62, 219)
    assert totals["fold_epochs"] == 6615
    assert (totals["locator_fold_trainings"], totals["member_fold_trainings"]) == (60, 159)


def test_a_new_study_is_seen_by_as_many_networks(planned: Plan) -> None:
    """13 + 8 locate, 24 + 2 grade the canal, 26 the sides."""
    graders = {name: count["members"] for name, count in planned.checkpoints.items()}

    assert (planned.totals["locator_checkpoints"], planned.totals["member_checkpoints"]) == (21, 52)
    assert graders["canal"] == graders["sides"] == 26
    assert (graders["canal_full"], graders["canal_middle"]) == (24, 2)


def test_pseudo_labels_come_in_two_rounds(planned: Plan, recipe: Recipe) -> None:
    """The second round learns from members of the first; both are told as caveats."""
    steps = {one.step.label: one.step for one in planned.steps}
    third = steps["fit/m0188.fold0"].inputs["labels"]

    assert third.label == "pseudo/v3"
    assert steps["fit/m0113.fold3"].inputs["labels"].label == "pseudo/v1"
    assert third.inputs["predictor.m0113"] is steps["predict/m0113"]
    pupils = {name: one.labels for name, one in recipe.networks.items() if one.labels != "truth"}
    assert [list(pupils.values()).count(one) for one in ("v1", "v3")] == [6, 11]
    told = " ".join(planned.to_json()["caveats"])
    assert "Pseudo-labels v1 are out of fold" in told
    assert "Locator m_v5_0003 is trained for 5 of 10 folds" in told


def test_generations_of_locators_learn_from_each_other(planned: Plan) -> None:
    """v2 teaches v4, both networks of v4 together teach v6."""
    steps = {one.step.label: one.step for one in planned.steps}

    assert "previous" not in steps["draw/m_v2_0008.g0"].inputs
    assert steps["draw/t_v4_0005.g0"].inputs["previous"].label == "locate/t_v2_0008.g0"
    assert steps["draw/t_v6_0003.g0"].inputs["previous"].label == "locate/t_v4"
    assert steps["locate/canal"].inputs["around"].label == "locate/discs"
    assert len([role for role in steps["locate/discs"].inputs if ".fold" in role]) == 4 * 6


def test_one_configuration_is_shown_whole(recipe: Recipe) -> None:
    """What its kind and the defaults say stands with it."""
    text = resolved_part(recipe, "m0188")

    for word in ("convnext_tiny.in12k_ft_in1k_384", "slices: 0.5", "level: 0.1", "mixup: 0.5"):
        assert word in text
    assert "head: gated" in text
    assert "m0191" not in text


@pytest.mark.parametrize(
    ("name", "fit", "kind"),
    [
        ("m0152", (5e-5, 8, 25), "cross_entropy"),
        ("m0211", (2.5e-5, 8, 20), "hierarchical"),
        ("t0203", (1.25e-5, 3, 20), "cross_entropy"),
        ("tS0188", (1.25e-5, 2, 20), "cross_entropy"),
        ("s2064", (1.25e-5, 2, 15), "cross_entropy"),
    ],
)
def test_members_are_trained_as_published(recipe: Recipe, name, fit, kind) -> None:
    """Rate, batch, epochs and loss of some configurations."""
    member = recipe.networks[name]

    assert (member.fit.lr, member.fit.batch, member.fit.epochs) == fit
    assert member.loss.kind == kind


def test_the_file_is_readable() -> None:
    """One file of fewer than 400 lines for 46 configurations and 12 locators."""
    lines = Path(shipped_recipes()["lumbar_3rd_place"]).read_text().splitlines()

    assert len(lines) < 400
    assert max(map(len, lines)) <= 105
