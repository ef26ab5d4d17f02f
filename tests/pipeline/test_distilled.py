"""Students: whom they learn from, what is refused, and what their bundle says of them."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from overread.pipeline import RecipeError, graph_of, read_recipe, shipped_recipes
from overread.pipeline.bundling import bundle_recipe
from overread.pipeline.distilled import distilled_card, teachers_of
from overread.pipeline.recipe_reach import caveats
from overread.pipeline.stages.predict import save_predictions
from overread.pipeline.step import in_order
from overread.records import Labels, Predictions

TINY = shipped_recipes()["tiny/lumbar_distilled"]
PARENT = shipped_recipes()["tiny/lumbar_two_stage"]


def _changed(folder: Path, *pairs: tuple[str, str]) -> Path:
    text = TINY.read_text()
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new, 1)
    path = folder / "recipe.yaml"
    path.write_text(text)
    return path


def _steps(path: Path, folder: Path):
    return {step.label: step for step in in_order(graph_of(read_recipe(path), None, folder).goals)}


def test_student_learns_what_the_ensemble_says_out_of_fold(tmp_path) -> None:
    """Its labels come from the joined out-of-fold answers, which must be made before."""
    steps = _steps(TINY, tmp_path)
    labels = steps["fit/student.fold0"].inputs["labels"]

    assert labels.settings["truth"] == 0.5
    assert labels.inputs["predictor.mean"] is steps["join/mean"]
    assert labels.id == steps["fit/student.fold1"].inputs["labels"].id


def test_teachers_are_those_of_the_recipe_without_a_student(tmp_path) -> None:
    """All but the student is found finished where the other recipe was run."""
    keys = {step.label: step.key for step in _steps(TINY, tmp_path).values()}
    before = {step.label: step.key for step in _steps(PARENT, tmp_path).values()}
    last = {label for label in before if label.startswith(("score/", "report/"))}

    assert {label for label in before if keys.get(label) != before[label]} == last


def test_honest_student_hears_networks_that_have_not_seen_its_fold(tmp_path) -> None:
    """With same_fold all teachers of fold 1 are networks of fold 1."""
    path = _changed(
        tmp_path,
        ("teachers: out_of_fold", "teachers: same_fold"),
        ("{of: [mean]}", "{of: [average, shared]}"),
    )
    steps = _steps(path, tmp_path)
    told = steps["fit/student.fold1"].inputs["labels"].inputs

    assert told["predictor.average"].inputs["network"] is steps["fit/average.fold1"]
    assert told["predictor.shared"].inputs["network"] is steps["fit/shared.fold1"]
    assert [line for line in caveats(read_recipe(path)) if "soft" in line] == []
    assert any("Pseudo-labels soft" in line for line in caveats(read_recipe(TINY)))


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("teachers: out_of_fold", "teachers: same_fold", "mean is an ensemble, which is joined"),
        ("of: [average, shared]}\n\nfinal", "of: [average, student]}\n\nfinal",
         "student learns from soft itself"),
        ("{of: [mean]}", "{of: [meen]}", 'no member "meen" with networks'),
    ],
)  # fmt: skip
def test_teachers_that_do_not_fit_are_refused(tmp_path, old, new, sentence) -> None:
    """Ensembles under honest folds, students that teach themselves, and names of nobody."""
    with pytest.raises(RecipeError) as refusal:
        read_recipe(_changed(tmp_path, (old, new)))

    assert sentence in "\n".join(refusal.value.lines)


def test_bundle_of_a_student_holds_no_teacher() -> None:
    """The student's network and the locators are all that grading takes."""
    content = bundle_recipe(read_recipe(TINY))

    assert (tuple(content.members), tuple(content.ensembles)) == (("student",), ())
    assert content.members["student"].new == (0,)


def _answers(name: str, sure: float, role: str = "oof") -> Predictions:
    rows = [
        {
            "unit": f"{study}/L4", "study": str(study), "subject": str(study), "site": "L4/L5",
            "target": "spinal_canal_stenosis", "fold": study % 2, "predictor": name, "role": role,
            "probabilities": (np.eye(3)[study % 3] * sure + (1 - sure) / 3).tolist(),
        }
        for study in range(6)
    ]  # fmt: skip
    return Predictions(pl.DataFrame(rows))


def test_card_compares_student_and_teacher_on_the_same_units(tmp_path) -> None:
    """Loss and kappa of both, the interval of the difference, and how many networks each has."""
    graph = graph_of(read_recipe(TINY), None, tmp_path)
    for name, sure in (("student", 0.4), ("mean", 0.9)):
        (tmp_path / name).mkdir()
        save_predictions(tmp_path / name, _answers(name, sure))
    store = SimpleNamespace(bring=lambda step: tmp_path / step.name)
    frame = _answers("truth", 1.0).frame.drop("fold", "predictor", "role")
    labels = Labels(frame.with_columns(weight=pl.lit(1.0), origin=pl.lit("truth")))
    card = distilled_card(store, graph, labels, "student")
    loss = card["teachers"]["mean"]["log_loss"]

    assert loss["teacher"] < loss["student"]
    assert loss["difference"] == pytest.approx(loss["student"] - loss["teacher"])
    assert loss["low"] <= loss["difference"] <= loss["high"]
    assert card["teachers"]["mean"]["kappa"]["difference"] == pytest.approx(0)
    assert card["networks"] == {"student": 1, "mean": 4}
    assert "may be too good" in card["meaning"]


def test_who_learns_the_truth_alone_is_no_student(tmp_path) -> None:
    """Members without soft labels, and ensembles, have no such card."""
    recipe = read_recipe(TINY)
    graph = graph_of(recipe, None, tmp_path)

    assert teachers_of(recipe, "student") == ("mean",)
    assert teachers_of(recipe, "average") == teachers_of(recipe, "mean") == ()
    assert distilled_card(SimpleNamespace(), graph, Labels.empty(), "average") == {}
