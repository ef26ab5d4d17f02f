"""Studies, volumes, key-points and rubrics: valid as soon as they exist."""

from pathlib import Path

import numpy as np
import pytest

from overread.records import (
    Derived,
    Frame,
    Keypoints,
    Planes,
    RecordError,
    Rubric,
    Series,
    Stack,
    Study,
    Target,
    Volume,
)

GRADES = ("normal", "severe")


def stack(role: str | None = "photo", count: int = 2) -> Stack:
    """A stack of small images."""
    frames = tuple(Frame(Path(f"{i}.png"), str(i)) for i in range(count))
    return Stack(frames, Planes.of_images([[4, 5]] * count), role)


def sided(name: str, mirror: str | None, grades: tuple[str, ...] = GRADES) -> Target:
    """A target with or without a partner."""
    return Target(name, grades, (1.0,) * len(grades), mirror=mirror)


def test_study() -> None:
    """A study knows its roles and finds stacks by role, set-aside stacks left out."""
    series = Series("a", "1.2", (stack(), stack(None)), "photo")
    study = Study("s", "1", "p", (series, Series("b", "1.3", (stack("photo_xray"),))))

    assert study.roles == {"photo", "photo_xray"}
    assert [one.id for one, _ in study.with_role("photo_xray")] == ["b"]
    assert len(series.frames) == len(series.planes) == 4


def test_impossible_studies() -> None:
    """Series twice, no subject, no stack, no frame, a confidence above 1: refused."""
    series = Series("a", "1.2", (stack(),))
    with pytest.raises(RecordError, match="series id twice"):
        Study("s", "1", "p", (series, series))
    with pytest.raises(RecordError, match="no subject"):
        Study("s", "1", "")
    with pytest.raises(RecordError, match="has no stack"):
        Series("a", "1.2", ())
    with pytest.raises(RecordError, match="role confidence"):
        Series("a", "1.2", (stack(),), role_confidence=1.2)
    with pytest.raises(RecordError, match="2 frames, 3 planes"):
        Stack(stack().frames, Planes.of_images([[4, 5]] * 3))


def test_volume() -> None:
    """Slices may be smaller than the array, not larger; numbers of slices agree."""
    planes = Planes.of_images([[4, 5], [3, 3]])

    assert len(Volume(np.zeros((2, 4, 5)), planes)) == 2
    with pytest.raises(RecordError, match="do not fit"):
        Volume(np.zeros((2, 4, 4)), planes)
    with pytest.raises(RecordError, match=r"expected \(2, rows, columns\)"):
        Volume(np.zeros((3, 4, 5)), planes)


def test_keypoints() -> None:
    """Points are found by name; a missing one is None; order and choice are the caller's."""
    points = Keypoints.of({"b": (1, 2, 3), "a": (4, 5, 6)})
    chosen = points.ordered(("a", "x", "b"))

    assert points.get("b").tolist() == [1, 2, 3]
    assert points.get("x") is None
    assert chosen.names == ("a", "b")
    assert chosen.points.tolist() == [[4, 5, 6], [1, 2, 3]]
    assert Keypoints.of({}).points.shape == (0, 3)


def test_ends_of_keypoints() -> None:
    """Ends travel with their points; wrong numbers of them are refused."""
    ends = np.arange(12.0).reshape(2, 2, 3)
    points = Keypoints(("a", "b"), ends.mean(axis=1), np.ones(2), ends=ends)

    assert points.ordered(("b",)).ends.tolist() == ends[1:].tolist()
    assert points.ordered(()).names == ()
    with pytest.raises(RecordError, match=r"expected \(2, 2, 3\)"):
        Keypoints(("a", "b"), np.zeros((2, 3)), np.ones(2), ends=ends[:1])


def test_impossible_keypoints() -> None:
    """Names twice, fillers that are not numbers and wrong lengths are refused."""
    with pytest.raises(RecordError, match="not unique"):
        Keypoints(("a", "a"), np.zeros((2, 3)), np.ones(2))
    with pytest.raises(RecordError, match="leave out what was not found"):
        Keypoints(("a",), np.full((1, 3), np.nan), np.ones(1))
    with pytest.raises(RecordError, match="2 names, 1 points"):
        Keypoints(("a", "b"), np.zeros((1, 3)), np.ones(2))


def test_rubric() -> None:
    """Targets are found by name and know their partner; units are named by study and site."""
    rubric = Rubric(
        "r", "site", (sided("left", "right"), sided("right", "left"), sided("canal", None)),
        sites=("L1/L2",), derived=(Derived("any", ("left", "right")),),
    )  # fmt: skip

    assert rubric.names == ("left", "right", "canal")
    assert [rubric.partner(name) for name in rubric.names] == ["right", "left", "canal"]
    assert rubric.unit_id("7") == "7"
    assert rubric.unit_id("7", "L1/L2") == "7@L1/L2"
    with pytest.raises(KeyError, match="no target"):
        rubric.target("front")


@pytest.mark.parametrize(
    ("targets", "settings", "words"),
    [
        ((), {}, "unique names"),
        ((sided("a", None), sided("a", None)), {}, "unique names"),
        ((sided("a", "b"),), {}, "each other's mirror"),
        ((sided("a", "b"), sided("b", "a", ("x", "y"))), {}, "different grades"),
        ((sided("a", None),), {"unit": "site"}, "sites are for units"),
        ((sided("a", None),), {"sites": ("x",)}, "sites are for units"),
        ((sided("a", None),), {"derived": (Derived("d", ("z",)),)}, "unknown targets"),
    ],
)
def test_impossible_rubrics(targets, settings, words) -> None:
    """Targets without partners, sites without units and unknown parts are refused."""
    with pytest.raises(RecordError, match=words):
        Rubric("r", settings.pop("unit", "study"), targets, **settings)


@pytest.mark.parametrize(
    ("grades", "weights", "scale", "words"),
    [
        (("a",), (1.0,), "ordered", "two different grades"),
        (("a", "a"), (1.0, 1.0), "ordered", "two different grades"),
        (GRADES, (1.0,), "ordered", "positive weight for each"),
        (GRADES, (1.0, 0.0), "ordered", "positive weight for each"),
        (("a", "b", "c"), (1.0,) * 3, "binary", "binary but has 3"),
    ],
)
def test_impossible_targets(grades, weights, scale, words) -> None:
    """A question needs different answers with positive weights; a binary one has two."""
    with pytest.raises(RecordError, match=words):
        Target("t", grades, weights, scale)
