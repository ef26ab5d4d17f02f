"""Recipes of slices: members that read others, compared pairs, phantoms of a size; slips."""

import pytest

from overread.pipeline import RecipeError, build_graph, read_recipe, shipped_recipes
from overread.pipeline.recipe_reach import checkpoints, predictors_of

TINY = shipped_recipes()["tiny/head_ct_sequence"]


def refused(folder, old, new):
    """What is said of the recipe with a slip."""
    text = TINY.read_text()
    assert old in text
    path = folder / "r.yaml"
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(RecipeError) as refusal:
        read_recipe(path)
    return "\n".join(refusal.value.lines)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("{one: {width: 256, networks: 2}}", "{one: {width: 256, networks: 3}}",
         "found networks: 3, expected 2, one for each fold"),
        ("{one: {width", "{onne: {width", 'no member "onne"; did you mean "one"'),
        ("one: {views: [three], flip: [three]}", "one: {views: [three], offsets: [0, 1]}",
         "one must look at units one by one"),
        ("one: {views: [three], flip: [three]}", "one: {views: [three], folds: [0]}",
         "one must have a network of every fold"),
        ("one: {views: [three], flip: [three]}", "one: {views: [three], targets: [any]}",
         "one answers other targets than along"),
        ("    reads: study\n", "", "a network of embeddings reads studies"),
        ("embeds: {one: {width: 256, networks: 2}}", "views: [three]",
         "reads what other members made of slices"),
        ("- [scan, one]", "- [scan, onne]", 'compare[0][1]: no member or ensemble "onne"'),
        ("use: rsna2019_head_ct\n  forge: {studies", "use: rsna2024_lumbar\n  forge: {studies",
         "forges images of one size"),
    ],
)  # fmt: skip
def test_slips_are_told(tmp_path, old, new, sentence) -> None:
    """Where, what was found, and what is needed."""
    assert sentence in refused(tmp_path, old, new)


def test_a_member_that_reads_another_waits_for_it() -> None:
    """Its inputs are the embeddings of all folds; a bundle of it holds both members."""
    recipe = read_recipe(TINY)
    graph = build_graph(recipe, None)
    step = graph.fits["along"][0].inputs["embed.one"]

    assert {role for role in step.inputs if role.startswith("fold")} == {"folds", "fold0", "fold1"}
    assert step.inputs["fold1"].id == graph.fits["one"][1].id
    assert step.id == graph.predictors["along"].inputs["embed.one"].id
    assert predictors_of(recipe, "along") == ("along", "one")
    assert checkpoints(recipe, "along")["members"] == 4


def test_comparing_makes_scores_anew_and_networks_not() -> None:
    """What is compared is a setting of the scores alone."""
    recipe = read_recipe(TINY)
    plain = recipe.model_copy(update={"compare": ()})
    one, other = build_graph(recipe, None), build_graph(plain, None)

    assert one.score.key != other.score.key
    assert one.fits["along"][0].key == other.fits["along"][0].key
    assert "compare" not in other.score.settings


def test_phantoms_of_a_size_are_other_phantoms() -> None:
    """Without a size their key is as it was before there was one."""
    recipe = read_recipe(TINY)
    forge = recipe.dataset.forge
    assert forge is not None
    assert forge.identity()["pixels"] == 128
    assert "pixels" not in forge.model_copy(update={"pixels": None}).identity()
