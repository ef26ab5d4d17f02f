"""All keys are known before anything runs, and change with what decides the result."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from overread.pipeline import PlanError, graph_of, plan, read_recipe, shipped_recipes
from overread.pipeline.step import in_order

TINY = Path(__file__).parents[2] / "recipes" / "tiny" / "lumbar_two_stage.yaml"


def _keys(folder: Path, old: str = "", new: str = "", data: Path | None = None) -> dict[str, str]:
    text = TINY.read_text()
    assert old in text
    path = folder / "r.yaml"
    path.write_text(text.replace(old, new, 1) if old else text)
    graph = graph_of(read_recipe(path), data, folder / "store")
    return {step.label: step.key for step in in_order(graph.goals)}


def _changed(folder: Path, old: str, new: str) -> set[str]:
    before, after = _keys(folder), _keys(folder, old, new)
    return {label for label in after if before.get(label) != after[label]}


@pytest.mark.parametrize("path", shipped_recipes().values(), ids=shipped_recipes())
def test_every_recipe_reads_and_plans(path, tmp_path) -> None:
    """Each recipe that ships has steps to do, for data that is not there yet."""
    recipe = read_recipe(path)
    data = None
    if recipe.dataset.forge is None or recipe.dataset.forge.photos:
        data = tmp_path / "data"
        data.mkdir()
    made = plan(recipe, data, tmp_path / "store")

    assert len(made.steps) == made.to_json()["to_do"]
    assert made.totals["fold_trainings"] >= made.totals["training_runs"] >= bool(recipe.networks)


def test_totals_of_the_tiny_recipe(tmp_path) -> None:
    """Two locators and two members in two folds."""
    totals = plan(read_recipe(TINY), None, tmp_path).totals

    assert (totals["training_runs"], totals["fold_trainings"]) == (4, 8)
    assert (totals["locator_checkpoints"], totals["member_checkpoints"]) == (4, 4)
    recipe = read_recipe(TINY)
    fits = [spec.fit for spec in (*recipe.keypoints.values(), *recipe.members.values())]
    assert 2 * sum(fit.epochs for fit in fits) == totals["fold_epochs"]
    epochs, folds, slots, shown = 8, 2, 3 + 5 + 3, 0.5
    assert len(recipe.members) * folds * epochs * slots * shown == totals["slice_passes_per_unit"]


def test_a_speed_knob_changes_no_key(tmp_path) -> None:
    """Workers, device and logging leave finished work alone."""
    assert set() == _changed(tmp_path, "fit: {epochs: 36", "fit: {workers: 0, epochs: 36")
    assert set() == _changed(tmp_path, "final: mean", "max_broken: 0.5\nfinal: mean")


def test_a_member_of_its_own_changes_only_what_follows(tmp_path) -> None:
    """Another learning rate of one member leaves pixels, points and other members alone."""
    changed = _changed(tmp_path, "{mirror: shared}", "{mirror: shared, fit: {lr: 0.1}}")

    assert {"fit", "predict", "join", "score", "report"} == {c.split("/")[0] for c in changed}
    assert not any("average" in label for label in changed)


def test_decoding_points_otherwise_trains_no_locator(tmp_path) -> None:
    """How maps become points does not change how maps were learnt."""
    changed = _changed(tmp_path, "pixels: [128, 128]", "flip: false\n    pixels: [128, 128]")

    assert "locate_fit/discs.g0.fold0" not in changed
    assert {"locate/discs.g0", "cut/sagittal_t2", "fit/average.fold0"} <= changed


def test_a_defaults_name_is_no_setting(tmp_path) -> None:
    """A setting that is written out at its default is the same setting."""
    assert set() == _changed(
        tmp_path,
        "slice_attention, backbone: tiny_conv",
        "slice_attention, pool: gem, backbone: tiny_conv",
    )


def test_generations_wait_for_the_points_of_the_one_before(tmp_path) -> None:
    """The second generation is drawn from the first one's out-of-fold points; the first stays."""
    path = tmp_path / "r.yaml"
    path.write_text(TINY.read_text().replace("  discs:\n", "  discs:\n    generations: 2\n", 1))
    graph = graph_of(read_recipe(path), None, tmp_path)
    steps = {step.label: step for step in in_order(graph.goals)}

    assert steps["draw/discs.g1"].inputs["previous"] is steps["locate/discs.g0"]
    assert steps["locate_fit/discs.g1.fold0"].inputs["draw"] is steps["draw/discs.g1"]
    assert graph.located["discs"] is steps["locate/discs.g1"]
    assert _keys(tmp_path)["locate/discs.g0"] == steps["locate/discs.g0"].key


def test_planning_opens_no_image(tmp_path, monkeypatch) -> None:
    """Keys follow from names, sizes and tables."""
    data = tmp_path / "data"
    (data / "train_images").mkdir(parents=True)
    image = data / "train_images" / "1.dcm"
    image.write_bytes(b"no DICOM")
    (data / "train.csv").write_text("study_id\n")
    opened: list[str] = []
    opening = Path.open

    def spy(self, *arguments, **options):
        opened.append(self.name)
        return opening(self, *arguments, **options)

    monkeypatch.setattr(Path, "open", spy)
    before = _keys(tmp_path, data=data)
    monkeypatch.undo()

    assert "train.csv" in opened
    assert "1.dcm" not in opened
    image.write_bytes(b"another size")
    assert before["read/rsna2024_lumbar"] != _keys(tmp_path, data=data)["read/rsna2024_lumbar"]


def test_planning_waits_for_no_network(tmp_path) -> None:
    """Reading and planning a recipe opens no library that computes, reads images or draws."""
    heavy = "torch timm torchvision scipy sklearn pydicom lightning_fabric matplotlib lightgbm"
    script = (
        "import sys; from pathlib import Path\n"
        "from overread.pipeline import find_recipe, plan, read_recipe, resolved_recipe\n"
        "recipe = read_recipe(find_recipe('lumbar_3rd_place'))\n"
        "resolved_recipe(recipe)\n"
        "plan(recipe, Path(sys.argv[1]), Path(sys.argv[1]) / 'store').to_json()\n"
        "print(*sys.modules)"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()

    assert "overread.models.slice_attention" in told
    assert set() == set(heavy.split()) & set(told)


def test_a_store_inside_the_data_does_not_make_it_new(tmp_path) -> None:
    """What the run itself writes is no data."""
    (tmp_path / "train.csv").write_text("study_id\n")
    recipe = read_recipe(TINY)
    before = graph_of(recipe, tmp_path, tmp_path / "store").read.key
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "log.jsonl").write_text("{}")

    assert before == graph_of(recipe, tmp_path, tmp_path / "store").read.key


def test_a_recipe_without_data_and_phantoms_is_refused(tmp_path) -> None:
    """One line says what to do."""
    path = tmp_path / "r.yaml"
    path.write_text(TINY.read_text().replace("  forge: {studies", "  # forge: {studies"))

    with pytest.raises(PlanError, match="name its folder with --data"):
        plan(read_recipe(path), None, tmp_path)
    with pytest.raises(PlanError, match="found no such folder"):
        plan(read_recipe(path), tmp_path / "nowhere", tmp_path)


def test_plan_is_plain_json(tmp_path) -> None:
    """Each step with its stage, name, key, state and inputs."""
    content = json.loads(json.dumps(plan(read_recipe(TINY), None, tmp_path).to_json()))

    told = {"recipe", "final", "steps", "done", "to_do", "totals", "checkpoints", "caveats"}
    assert told == set(content)
    assert {"stage", "name", "key", "state", "inputs"} == set(content["steps"][0])
    assert {"to do"} == {step["state"] for step in content["steps"]}
