"""A recipe is read whole, or refused with one clear line a fault."""

from pathlib import Path

import pytest
import yaml

from overread.pipeline import RecipeError, read_recipe, recipe_schema, resolved_recipe
from overread.pipeline.recipe import with_defaults

TINY = Path(__file__).parents[2] / "recipes" / "tiny" / "lumbar_two_stage.yaml"
POINTS = "[L1/L2, L2/L3, L3/L4, L4/L5, L5/S1]"


def _refused(folder: Path, old: str, new: str) -> tuple[str, ...]:
    text = TINY.read_text()
    assert text.count(old) >= 1
    path = folder / "r.yaml"
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(RecipeError) as refusal:
        read_recipe(path)
    return tuple(line.removeprefix(f"{folder}/") for line in refusal.value.lines)


def test_defaults_lie_under_each_member() -> None:
    """What a member does not say comes from the defaults of the same file."""
    recipe = read_recipe(TINY)

    assert {"average", "shared"} == {member.mirror for member in recipe.members.values()}
    assert {"tiny_conv"} == {m.model.settings["backbone"] for m in recipe.members.values()}


def test_another_model_in_a_member_stands_alone() -> None:
    """Settings of one model are not mixed into another; settings beside it are."""
    merged = with_defaults(
        {
            "defaults": {"model": {"use": "a", "width": 1}, "fit": {"lr": 1, "epochs": 2}},
            "members": {
                "other": {"model": {"use": "b"}, "fit": {"lr": 3}},
                "same": {"model": {"width": 4}},
            },
        }
    )

    assert merged["members"]["other"] == {"model": {"use": "b"}, "fit": {"lr": 3, "epochs": 2}}
    assert merged["members"]["same"]["model"] == {"use": "a", "width": 4}


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (
            "fit: {epochs: 36",
            "fit: {epocs: 18",
            'keypoints.discs.fit.epocs: unknown key; did you mean "epochs"?',
        ),
        ("name: tiny", "nam: tiny", 'nam: unknown key; did you mean "name"?'),
        (
            "use: heatmap, backbone",
            "use: heatmap, bakbone",
            'keypoints.discs.model.bakbone: unknown key; did you mean "backbone"?',
        ),
        (
            "use: slice_attention",
            "use: slice_atention",
            'defaults.model.use: no "slice_atention" in models: did you mean "slice_attention"?',
        ),
        (
            "use: rsna2024_lumbar\n  forge",
            "use: rsna_lumbar\n  forge",
            'dataset.use: no "rsna_lumbar" in datasets: did you mean "rsna2024_lumbar"?',
        ),
        (
            "use: log_loss",
            "use: logloss",
            'scores[1].use: no "logloss" in scoring: did you mean "log_loss"?',
        ),
        (
            "fit: {epochs: 36",
            "fit: {epochs: many",
            'keypoints.discs.fit.epochs: found "many" (a word), expected a whole number',
        ),
        ("pixels: [128, 128]", "pixels: [128]", "keypoints.discs.pixels[1]: is missing"),
        (
            "series: [sagittal_t1]",
            "series: [sagital_t1]",
            'views.sagittal_t1.series[0]: no series role "sagital_t1"; did you mean "sagittal_t1"?',
        ),
        (
            "around: canal",
            "around: cannal",
            'views.axial_t2.around: no locator "cannal"; did you mean "canal"?',
        ),
        (
            "around: discs",
            "around: canal",
            "keypoints.canal.around: locators wait for each other: canal -> canal",
        ),
        ("final: mean", "final: men", 'final: no member or ensemble "men"; did you mean "mean"?'),
        (
            "of: [average, shared]",
            "of: [average, mean]",
            "ensembles.mean.of: ensembles join each other: mean -> mean",
        ),
        (
            "of: [average, shared]",
            "of: [average, share]",
            'ensembles.mean.of[1]: no member or ensemble "share"; did you mean "shared"?',
        ),
        (
            "mirror: shared",
            "mirror: shard",
            'members.shared.mirror: found "shard" (a word); did you mean "shared"?',
        ),
        (
            "{mirror: average}",
            "{targets: [left_subarticular]}",
            'members.average.targets[0]: no target "left_subarticular"',
        ),
        (
            "{mirror: average}",
            "{targets: [left_subarticular_stenosis]}",
            "members.average.mirror: mirror: average needs both sides",
        ),
        (
            f"around: discs\n    points: {POINTS}",
            "around: discs\n    points: [a, b]",
            'views.axial_t2.around: locator "canal" finds a, b, but rsna2024_lumbar has sites',
        ),
        ("  average: {", "  a/b: {", "members.a/b: names hold letters, digits, _ and - only"),
        ("  mean: {use", "  shared: {use", "ensembles.shared: is also the name of a member"),
        ("recipe: 1", "recipe: 2", "recipe: found 2 (a number); known: 1"),
        (
            "heatmap, backbone: tiny_conv",
            "heatmap, backbone: tiny_con",
            'keypoints.discs.model.backbone: no encoder "tiny_con": did you mean "tiny_conv"?',
        ),
        (
            "model: {use: heatmap, backbone: tiny_conv, levels: [1, 2, 3], neck: 64, hidden: 32}",
            "model: {use: slice_attention, backbone: tiny_conv}",
            (
                'keypoints.discs.model.use: "slice_attention" finds no points, but a locator\'s '
                "model must; known: heatmap"
            ),
        ),
        (
            "use: slice_attention",
            "use: heatmap",
            (
                'defaults.model.use: "heatmap" does not grade, but a member\'s model must; '
                "known: sequence, slice_attention"
            ),
        ),
        (
            "levels: [1, 2, 3]",
            "levels: [1, 2, 7]",
            "keypoints.discs.model.levels: tiny_conv has the levels 0 to 3; found (1, 2, 7)",
        ),
        (
            "levels: [1, 2, 3]",
            "levels: [3, 2]",
            "keypoints.discs.model.levels: found [3, 2], expected levels from 0 that rise",
        ),
        (
            "backbone: tiny_conv, levels",
            "backbone: tiny_conv, weights: hub, levels",
            "keypoints.discs.model.weights: tiny_conv has no pretrained weights",
        ),
        (
            "of: [average, shared]",
            "of: [average, average]",
            'ensembles.mean.of[1]: "average" stands twice; name each predictor once',
        ),
        (
            "points: [L1/L2, L2/L3",
            "points: [L1/L2, L2/L4",
            'keypoints.discs.points[1]: no site "L2/L4"; did you mean "L3/L4"?',
        ),
        (
            "use: log_loss",
            "usee: log_loss",
            'scores[1].use: is missing; found "usee", did you mean "use"?',
        ),
        (
            "series: [sagittal_t1]",
            "series: []",
            "views.sagittal_t1.series: found nothing in it, expected 1 item at least",
        ),
        (
            "lr: 4.0e-3",
            "lr: .nan",
            "keypoints.discs.fit.lr: found .nan (not a finite number), expected a number",
        ),
        (
            "name: tiny lumbar two stage",
            "name: ''",
            "name: found nothing in it, expected 1 letter at least",
        ),
        (
            "scores:\n  - use: rsna2024_lumbar\n  - use: log_loss",
            "scores: []",
            "scores: found nothing in it, expected 1 item at least",
        ),
        (
            "final: mean",
            "seed: -1\nfinal: mean",
            "seed: found -1 (a number), expected greater than or equal to 0",
        ),
    ],
)
def test_a_fault_is_told_with_its_place_and_the_nearest_name(tmp_path, old, new, line) -> None:
    """File, line, path, what was found, and the right name."""
    lines = [one for one in _refused(tmp_path, old, new) if "of[" not in one or "of[" in line]
    told = lines[0].partition(": ")

    assert told[2].startswith(line)
    name, _, number = told[0].partition(":")
    assert name == "r.yaml"
    if "points: [a" in new:
        return  # told at the view that uses the points
    assert new.split("\n")[-1].strip() in "\n".join(
        (tmp_path / "r.yaml").read_text().splitlines()[max(0, int(number) - 2) : int(number) + 2]
    )


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("views:\n  sag", "views: {{\n  sag", "does not read as YAML"),
        ("seed: 1,", "seed: 1, seed: 2,", "dataset.forge.seed stands twice, first in line"),
        ("final: mean", "final: *mean", "aliases"),
        ("final: mean", "final: [mean", "does not read as YAML"),
        ("final: mean", "final: me\0an", "no text may hold the character U+0000; remove it"),
        ("final: mean", "final: " + 3000 * "[", "nested too deeply"),
        ("final: mean", "final: " + 60 * "[" + 60 * "]", "nested too deeply"),
    ],
)
def test_faults_of_yaml_have_their_line(tmp_path, old, new, words) -> None:
    """One line, with file and line number, without a parser's excerpt."""
    (line,) = _refused(tmp_path, old, new)

    assert words in line
    assert line.split(":")[1].isdigit()


def test_a_chain_longer_than_the_sites_is_no_fault(tmp_path) -> None:
    """A point beyond the sites misspells none of them while each site is found."""
    path = tmp_path / "r.yaml"
    path.write_text(TINY.read_text().replace("points: [L1/L2", "points: [T12/L1, L1/L2", 1))

    assert read_recipe(path).keypoints["discs"].points[:2] == ("T12/L1", "L1/L2")


def test_all_faults_are_told_at_once(tmp_path) -> None:
    """Two mistakes make two lines; a mistake in the defaults is told once, not for each member."""
    lines = _refused(
        tmp_path,
        "model: {use: slice_attention, backbone",
        "fits: 1\n  model: {use: slice_attention, bone",
    )

    places = sorted(line.split(": ")[1] for line in lines)
    assert places == ["defaults.fits", "defaults.model.bone"]


def test_missing_sections_are_told_together(tmp_path) -> None:
    """A recipe that has hardly begun is told each key that it needs."""
    path = tmp_path / "r.yaml"
    path.write_text("recipe: 1\nname: x\n")

    with pytest.raises(RecipeError) as caught:
        read_recipe(path)
    for key in ("about", "dataset", "members", "final", "scores"):
        assert f"{key}: is missing" in str(caught.value)


def test_a_missing_file_is_told(tmp_path) -> None:
    """No traceback for a path that does not exist."""
    with pytest.raises(RecipeError, match="found no readable recipe"):
        read_recipe(tmp_path / "none.yaml")


def test_numbers_and_words_are_what_they_look_like(tmp_path) -> None:
    """`1e-4` is a number; `on` stays a word."""
    text = TINY.read_text().replace("lr: 4.0e-3", "lr: 1e-4", 1)
    path = tmp_path / "r.yaml"
    path.write_text(text.replace("name: tiny lumbar two stage", "name: on"))
    recipe = read_recipe(path)

    assert (recipe.name, recipe.keypoints["discs"].fit.lr) == ("on", 1e-4)


def test_resolved_recipe_reads_back_as_the_same(tmp_path) -> None:
    """What `show` prints is a recipe: complete, in the order of things."""
    recipe, path = read_recipe(TINY), tmp_path / "r.yaml"
    path.write_text(resolved_recipe(recipe))
    again = read_recipe(path)

    assert resolved_recipe(recipe) == resolved_recipe(again)
    assert recipe.members == {
        name: member.model_copy(update={"model": recipe.members[name].model})
        for name, member in again.members.items()
    }
    keys = list(yaml.safe_load(path.read_text()))
    assert keys[:7] == ["recipe", "name", "about", "dataset", "folds", "keypoints", "views"]


def test_schema_knows_every_key() -> None:
    """Editors complete and check recipes with it."""
    schema = recipe_schema()

    assert {"recipe", "name", "about", "members", "final"} <= set(schema["properties"])
    assert schema["additionalProperties"] is False
