"""What a student kept of its teachers: both on the same units, out of fold, for its bundle's card.

Nothing is trained here, and how fast a student is must be measured on its host.
"""

from typing import Any

from overread.inference.engines import METRICS, score_both
from overread.pipeline.graph import Graph
from overread.pipeline.recipe import Recipe
from overread.pipeline.recipe_reach import checkpoints
from overread.pipeline.stages.predict import load_predictions
from overread.pipeline.step import Step
from overread.pipeline.store import Store
from overread.records import Labels, Predictions

__all__ = ["distilled_card", "teachers_of"]

MEANING = {
    "same_fold": (
        "no network that taught the student of fold k has seen a subject of fold k: its scores are "
        "out of fold as any member's"
    ),
    "out_of_fold": (
        "the student of fold k has not seen a subject of fold k, but its teachers' networks of the "
        "other folds have learnt from them: its scores may be too good, and studies that nobody "
        "has learnt from tell more"
    ),
}


def teachers_of(recipe: Recipe, name: str) -> tuple[str, ...]:
    """Return the predictors that a member learns from beside the truth; none for an ensemble."""
    member = recipe.networks.get(name)
    pseudo = recipe.pseudo.get(member.labels) if member else None
    return pseudo.members if pseudo and pseudo.truth < 1 else ()


def distilled_card(store: Store, graph: Graph, labels: Labels, student: str) -> dict[str, Any]:
    """Return how a student compares with each of its teachers.

    Args:
        store: of a finished run.
        graph: of its recipe.
        labels: the truth.
        student: a member.

    Returns:
        {"labels", "truth", "meaning", "networks": {predictor: how many a new study takes},
        "teachers": {teacher: {metric: {"teacher", "student", "difference" (student - teacher),
        "low", "high" (95 %), "n"}}}}; nothing for a member that learns from the truth alone.
    """
    recipe = graph.recipe
    teachers = teachers_of(recipe, student)
    if not teachers:
        return {}
    pseudo = recipe.pseudo[recipe.networks[student].labels]
    metrics = [*recipe.scores, *(one for one in METRICS if one not in recipe.scores)]
    own = _out_of_fold(store, graph.predictors[student])
    return {
        "labels": recipe.networks[student].labels,
        "truth": pseudo.truth,
        "meaning": MEANING[pseudo.teachers],
        "networks": {name: checkpoints(recipe, name)["members"] for name in (student, *teachers)},
        "teachers": {
            name: _as_card(
                score_both(
                    graph.rubric,
                    labels,
                    (own, _out_of_fold(store, graph.predictors[name])),
                    metrics,
                )
            )
            for name in teachers
        },
    }


def _out_of_fold(store: Store, step: Step) -> Predictions:
    frame = load_predictions(store.bring(step)).frame
    return Predictions(frame.filter(frame["role"] == "oof"))


def _as_card(scores: dict[str, dict[str, float | None]]) -> dict[str, dict[str, float | None]]:
    names = {"first": "student", "second": "teacher"}
    return {
        metric: {names.get(key, key): value for key, value in one.items()}
        for metric, one in scores.items()
    }
