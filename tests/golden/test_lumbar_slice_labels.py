"""Labels of slices equal the original's: those of the marked slices, through views and batches."""

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from golden_files import golden_files, record

from overread.datasets import rsna2024_lumbar
from overread.imaging import SliceSpec, ViewSpec, resample_slices
from overread.imaging.slices import side_slices
from overread.inference import MemberExamples, MemberSpec, StudyCuts
from overread.inference.examples import UnitLabels
from overread.inference.marks import marked_slots
from overread.records import Keypoints

FILES = golden_files("lumbar_views")
RUBRIC = rsna2024_lumbar.rubric(rsna2024_lumbar.Spec())
ROLES = {"Sagittal T1": "sagittal_t1", "Sagittal T2/STIR": "sagittal_t2", "Axial T2": "axial_t2"}
SETS = {
    "spinal_canal_stenosis": ("discs", "sagittal_t2"),
    "left_neural_foraminal_narrowing": ("left_foramina", "sagittal_t1"),
    "right_neural_foraminal_narrowing": ("right_foramina", "sagittal_t1"),
    "left_subarticular_stenosis": ("left_recesses", "axial_t2"),
    "right_subarticular_stenosis": ("right_recesses", "axial_t2"),
}
AXES = {"sagittal": np.array([1.0, 0, 0]), "axial": np.array([0, 0, 1.0])}


def points_of(case: dict[str, Any]) -> dict[str, dict[str, Keypoints]]:
    """The marked points in mm, each on its slice."""
    places: dict[str, dict[str, list[float]]] = defaultdict(dict)
    for row in case["coordinates"]:
        name = next(n for n, one in case["planes"].items() if one["series_id"] == row["series_id"])
        plane = case["planes"][name]
        index = plane["instance_numbers"].index(row["instance_number"])
        axis = AXES[ROLES[name].split("_")[0]]
        target = row["condition"].lower().replace(" ", "_")
        places[SETS[target][0]][row["level"]] = (axis * plane["standard_pos"][index]).tolist()
    return {name: {"7": Keypoints.of(found)} for name, found in places.items()}


def view_and_cuts(case: dict[str, Any], name: str, count: int, *, side: bool) -> Any:
    """A view of one plane and the crops of its unit, which have places but no pixels."""
    role, plane = ROLES[name], case["planes"][name]
    sagittal = role != "axial_t2"
    slices = SliceSpec(count=count, as_published=True)
    share = (0.5 if sagittal else 0.6) if side else None
    view = ViewSpec(series=(role,), slices=slices, pixels=(3, 3), margin=1, one_side=share)
    along = np.sort(plane["standard_pos"])[:: 1 if sagittal else -1]
    slots = resample_slices(len(along), count)
    if side and sagittal:
        slots = np.array(side_slices(len(along), 0.5, slices))
    normal = np.tile(AXES[view.plane], (len(slots), 1))
    planes = np.concatenate([normal, along[slots][:, None]], axis=1)[None]
    rows, columns = view.stored
    cuts = StudyCuts(
        (RUBRIC.unit_id("7", case["level"]),),
        (case["level"],),
        np.zeros((1, len(slots), 1, rows, columns), np.float16),
        np.ones((1, len(slots)), np.bool_),
        np.zeros((1, len(slots)), np.float32),
        planes,
    )
    return view, cuts


def examples_of(case: dict[str, Any], *, side: bool) -> MemberExamples:
    """The unit with its labels and marks."""
    made = {
        ROLES[name]: view_and_cuts(case, name, count, side=side)
        for name, count in zip(case["planes"], case["slices_per_plane"], strict=True)
    }
    marks = {name: {"points": s, "series": (role,)} for name, (s, role) in SETS.items()}
    member = MemberSpec.model_validate(
        {
            "views": tuple(made),
            "targets": RUBRIC.names[1:] if side else None,
            "mirror": "shared" if side else "none",
            "marks": marks,
            "loss": {"slices": 0.5},
        }
    )
    soft = {name: np.array([values], np.float32) for name, values in case["soft_labels"].items()}
    labels = UnitLabels(soft, {name: np.ones(1, np.float32) for name in soft})
    points = points_of(case)
    views = {name: view for name, (view, _) in made.items()}
    slots = {
        name: marked_slots(member.marks, view, RUBRIC, [cuts], points)
        for name, (view, cuts) in made.items()
    }
    return MemberExamples(
        member,
        views,
        RUBRIC,
        {name: [cuts] for name, (_, cuts) in made.items()},
        np.zeros((1, 2), np.int64),
        np.array([RUBRIC.sites.index(case["level"])]),
        labels,
        marks=slots,
    )


def stacked(batch: dict[str, Any], kind: str, targets: tuple[str, ...]) -> np.ndarray:
    """(slots, targets, ...) of the only unit."""
    return np.stack([batch[f"{kind}.{name}"][0].numpy() for name in targets], 1)


@pytest.mark.parametrize("path", FILES)
def test_labels_of_slices_in_the_full_view(path: Path) -> None:
    """Slots of a marked slice have the label of the unit; its greatest share is their weight."""
    case = record(path)["slice_labels"]
    batch = examples_of(case, side=False).batch([0], generator=None)
    wanted = case["outputs"]["DatasetVer2Pseudo"]

    weight = stacked(batch, "slice_weight", RUBRIC.names)
    np.testing.assert_allclose(weight, wanted["slice_weight"], atol=1e-6)
    label = stacked(batch, "slice_target", RUBRIC.names)
    np.testing.assert_allclose(label, wanted["slice_label"], atol=1e-6)


@pytest.mark.parametrize("path", FILES)
@pytest.mark.parametrize("side", ["left", "right"])
def test_labels_of_slices_of_a_side(path: Path, side: str) -> None:
    """The right side is seen mirrored, with its own labels in the heads of the left."""
    case = record(path)["slice_labels"]
    examples = examples_of(case, side=True)
    batch = (examples if side == "left" else examples.mirrored()).batch([0], generator=None)
    wanted = case["outputs"][f"DatasetVer5Pseudo/{side}"]
    heads = ("left_neural_foraminal_narrowing", "left_subarticular_stenosis")
    first, second, _ = case["slices_per_plane"]
    # Ours run from the midline outwards, the original's from the edge inwards.
    order = [*range(first)[::-1], *range(first, first + second)[::-1]]
    order += range(first + second, sum(case["slices_per_plane"]))

    weight = stacked(batch, "slice_weight", heads)[order]
    np.testing.assert_allclose(weight, wanted["slice_weight"], atol=1e-6)
    label = stacked(batch, "slice_target", heads)[order]
    np.testing.assert_allclose(label, wanted["slice_label"], atol=1e-6)
    assert not any(name.endswith(".marks") for name in batch)
