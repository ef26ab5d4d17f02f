"""Left and right: cutting the mirrored patient is mirroring the cut, bit for bit where promised."""

import numpy as np
import pytest
from field_study import (
    AXIAL,
    SAGITTAL,
    discs,
    field_stack,
    mirrored_points,
    mirrored_study,
    study_of,
    turned,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from overread.imaging import Arrays, SliceSpec, ViewSpec, centre, collate, cut, mirror
from overread.records import Keypoints

PICKS = [
    {"pick": "all"},
    {"pick": "all", "fill": "mask"},
    {"pick": "central", "fraction": 0.6},
    {"pick": "nearest"},
    {"pick": "nearest", "fill": "mask"},
]


def sagittal(slices: dict[str, object], **settings: object) -> ViewSpec:
    """A sagittal view of the discs."""
    plain = {
        "series": ("sagittal_t2",),
        "around": "discs",
        "slices": slices,
        "size_mm": (21, 26),
        "pixels": (24, 22),
    }
    return ViewSpec.model_validate({**plain, **settings})


def axial(slices: dict[str, object], **settings: object) -> ViewSpec:
    """An axial view of the discs."""
    return sagittal(slices, series=("axial_t2",), **settings)


def check(view: ViewSpec, stacks: list[object], points: object, site: str | None) -> None:
    """Compare the cut of the mirrored study with the mirrored cut."""
    study = study_of(*stacks)
    one = cut(view, study, {"discs": points}, site)
    other = cut(view, mirrored_study(study), {"discs": mirrored_points(points)}, site)
    expected = mirror(collate({"v": [one]}), {"v": view})
    found = collate({"v": [other]})

    assert one.mask.any()
    for key, value in expected.items():
        np.testing.assert_allclose(found[key], value, atol=1e-5, err_msg=key)


@pytest.mark.parametrize("slots", [4, 5])
@pytest.mark.parametrize("num", [1, 2, 3, 4, 7, 8])
@pytest.mark.parametrize("pick", PICKS, ids=str)
def test_sagittal_slices(pick, num, slots) -> None:
    """Slices are chosen alike from either side, for even and odd numbers of both."""
    stack = field_stack("sagittal_t2", SAGITTAL, count=num)
    points = discs()
    middle = mirrored_points(points)
    for site, known in (("L3/L4", points), ("L1/L2", middle)):
        check(sagittal({"count": slots, **pick}), [stack], known, site)


@pytest.mark.parametrize("slots", [3, 4])
@pytest.mark.parametrize("num", [2, 5, 6])
@pytest.mark.parametrize("pick", PICKS, ids=str)
def test_equally_near_slices(pick, num, slots) -> None:
    """Where two slices are equally near, the choice does not depend on the side."""
    stack = field_stack("sagittal_t2", SAGITTAL, count=num)
    points = discs()
    on_the_midline = type(points)(points.names, points.points * [0, 1, 1], points.confidence)
    check(sagittal({"count": slots, **pick}), [stack], on_the_midline, "L3/L4")


@pytest.mark.parametrize(("turn", "about"), [(0, 0), (11, 2), (8, 1), (14, 0)])
@pytest.mark.parametrize("straighten", [False, True])
@pytest.mark.parametrize("make", [sagittal, axial])
def test_oblique_planes(make, straighten, turn, about) -> None:
    """Oblique and oblong slices, straightened or not."""
    role, axes = ("sagittal_t2", SAGITTAL) if make is sagittal else ("axial_t2", AXIAL)
    stack = field_stack(role, turned(axes, turn, about), count=6, spacing=(0.7, 1.2))
    for slices in ({"count": 4, "pick": "nearest"}, {"count": 5}):
        check(make(slices, straighten=straighten), [stack], discs(tilt=12, bend=0.004), "L2/L3")


def test_levels() -> None:
    """Axial slices of a level, from two series."""
    stacks = [
        field_stack("axial_t2", turned(AXIAL, 9, 0), count=4, gap=3, middle=(1, 0, 1)),
        field_stack("axial_t2", AXIAL, count=5, gap=3, middle=(0, 0, 2)),
    ]
    for slices in ({"count": 4, "pick": "level"}, {"count": 9, "pick": "level", "fill": "mask"}):
        check(axial(slices), stacks, discs(), "L3/L4")


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 9),
    st.integers(1, 6),
    st.sampled_from(PICKS),
    st.floats(-12, 12).filter(lambda x: abs(x) > 1e-3),
    st.floats(-20, 20),
)
def test_any_sagittal_study(num, slots, pick, x, turn) -> None:
    """Whatever the stack, the slots, the rule and the place of the point: sides do not matter."""
    stack = field_stack("sagittal_t2", turned(SAGITTAL, turn, 2), count=num, size=(24, 24))
    points = Keypoints.of({"L3/L4": (x, 2.0, -1.0)})
    check(sagittal({"count": slots, **pick}), [stack], points, "L3/L4")


def random_batch(views: dict[str, ViewSpec]) -> Arrays:
    """Three units of noise, some slices missing."""
    generator = np.random.default_rng(3)
    batch: Arrays = {"weight": np.ones(3)}
    for name, view in views.items():
        slots = view.slices.count
        batch[name] = generator.random((3, slots, 1, *view.stored)).astype(np.float16)
        batch[f"{name}.mask"] = generator.random((3, slots)) > 0.3
        batch[f"{name}.offsets"] = generator.normal(size=(3, slots)).astype(np.float32)
    return batch


@pytest.mark.parametrize("pixels", [(24, 22), (25, 23)])
def test_mirror_is_exact(pixels) -> None:
    """Mirroring twice is nothing, and centre and mirror commute, to the last bit."""
    spec = SliceSpec(count=3)
    views = {
        role: ViewSpec(series=(role,), slices=spec, size_mm=(9, 9), pixels=pixels)
        for role in ("sagittal_t1", "axial_t2", "photo")
    }
    batch = random_batch(views)
    twice = mirror(mirror(batch, views), views)
    one = centre(mirror(batch, views), views)
    other = mirror(centre(batch, views), views)

    assert all(np.array_equal(twice[key], batch[key]) for key in batch)
    assert all(np.array_equal(one[key], other[key]) for key in batch)
    assert not np.array_equal(mirror(batch, views)["axial_t2"], batch["axial_t2"])
    assert one["axial_t2"].shape[-2:] == pixels


def test_mirror_reads_sagittal_slices_backwards() -> None:
    """Sagittal images stay, their order and the sign of their offsets turn; axial images turn."""
    views = {
        "s": ViewSpec(series=("sagittal_t1",), slices=SliceSpec(count=3), pixels=(4, 4)),
        "a": ViewSpec(series=("axial_t2",), slices=SliceSpec(count=2), pixels=(4, 4)),
    }
    batch = random_batch(views)
    found = mirror(batch, views)

    assert np.array_equal(found["s"][:, 0], batch["s"][:, 2])
    assert np.array_equal(found["s.offsets"][:, 0], -batch["s.offsets"][:, 2])
    assert np.array_equal(found["s.mask"][:, 0], batch["s.mask"][:, 2])
    assert np.array_equal(found["a"][..., 0], batch["a"][..., -1])
    assert np.array_equal(found["a.offsets"], batch["a.offsets"])
    assert found["weight"] is batch["weight"]


@pytest.mark.parametrize("num", [1, 4, 7])
def test_one_side_of_slices(num) -> None:
    """The mirrored patient's left half is the right half, mirrored; networks see `count` slots."""
    stack = field_stack("sagittal_t2", SAGITTAL, count=num)
    view = sagittal({"count": 3}, one_side=0.5)
    check(view, [stack], discs(), "L3/L4")
    batch = collate({"v": [cut(view, study_of(stack), {"discs": discs()}, "L3/L4")]})
    left = centre(batch, {"v": view})

    assert batch["v"].shape[1] == 6
    assert left["v"].shape[1] == left["v.mask"].shape[1] == 3
    assert (left["v.offsets"] >= np.median(batch["v.offsets"]) - 1e-4).all()


def test_one_side_of_columns() -> None:
    """Networks see the columns from the patient's left edge; mirrored, those from the right."""
    stack = field_stack("axial_t2", AXIAL, count=1)
    one = axial({"count": 1}, one_side=0.6, pixels=(24, 15))
    whole = axial({"count": 1}, pixels=(24, 25))
    check(one, [stack], discs(), "L3/L4")
    batch, wide = (
        collate({"v": [cut(view, study_of(stack), {"discs": discs()}, "L3/L4")]})
        for view in (one, whole)
    )
    full = centre(wide, {"v": whole})["v"]
    left = centre(batch, {"v": one})["v"]
    right = centre(mirror(batch, {"v": one}), {"v": one})["v"]

    np.testing.assert_allclose(full[..., -15:], left, rtol=1.3e-6, atol=1e-5)
    np.testing.assert_allclose(full[..., 14::-1], right, rtol=1.3e-6, atol=1e-5)


def test_one_side_is_mirrored_before_it_is_centred() -> None:
    """Once the other side is cut away, mirroring is refused."""
    view = axial({"count": 1}, one_side=0.6)
    stack = field_stack("axial_t2", AXIAL, count=1)
    batch = collate({"v": [cut(view, study_of(stack), {"discs": discs()}, "L3/L4")]})

    with pytest.raises(ValueError, match="mirror its batch before"):
        mirror(centre(batch, {"v": view}), {"v": view})
