"""Tables for an audit, read from files; pictures from folders of images."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from overread.auditing import AuditSpec, Suspicion, Tables
from overread.datasets import DatasetError, rsna2024_lumbar
from overread.inference import StudyCuts, save_cuts
from overread.phantoms import forge_lumbar
from overread.pipeline.audit_pages import either, show_crops, thumbnails
from overread.pipeline.audits import marked_points, pictures_of
from overread.pipeline.parts import part_folder
from overread.records import Labels


@pytest.fixture(scope="module")
def forged(tmp_path_factory) -> Path:
    """One forged study with its tables."""
    folder = tmp_path_factory.mktemp("audited") / "studies"
    forge_lumbar(folder, num_studies=1, seed=3, workers=1)
    return folder


def test_points_keep_the_size_of_their_images_where_it_is_told(tmp_path) -> None:
    """Height and width become rows and columns; slices become numbers."""
    row = {
        "study_id": 1,
        "series_id": 2,
        "instance_number": 3,
        "condition": "Spinal Canal Stenosis",
        "level": "L1/L2",
        "x": 4.5,
        "y": 6.0,
        "height": 300.0,
        "width": 200.0,
    }
    pl.DataFrame([row]).write_csv(tmp_path / "points.csv")
    [found] = marked_points("rsna2024_lumbar", tmp_path / "points.csv").to_dicts()

    assert (found["rows"], found["columns"], found["slice"]) == (300.0, 200.0, 3.0)
    assert (found["target"], found["site"]) == ("spinal_canal_stenosis", "L1/L2")


def test_points_of_other_datasets_are_refused(tmp_path) -> None:
    """The words name the dataset that has them."""
    with pytest.raises(DatasetError, match="points are read for rsna2024_lumbar"):
        marked_points("spider", tmp_path / "points.csv")


def test_a_suspicious_point_is_shown_on_its_slice(forged) -> None:
    """The picture is the whole slice, with the marked and the expected place."""
    marks = marked_points("rsna2024_lumbar", forged / "train_label_coordinates.csv")
    row = marks.row(0, named=True)
    place = {name: row[name] for name in ("series", "slice", "x", "y")}
    place |= {"expected_x": row["x"] + 5, "expected_y": row["y"]}
    show = thumbnails(forged / "train_images")
    [shown] = show(Suspicion("point", "review", 1.0, "r", row["study"], None, "L1/L2", place))

    assert {"marked", "expected"} == set(shown.points)
    assert shown.image.dtype == np.uint8
    assert shown.image.std() > 10
    assert show(Suspicion("label", "review", 1.0, "r", row["study"])) == ()
    absent = {**place, "slice": 999.0}
    assert show(Suspicion("point", "review", 1.0, "r", row["study"], place=absent)) == ()


@pytest.fixture
def views(tmp_path) -> dict[str, Path]:
    """Crops of one study at two sites, in two views; the second site of the second is empty."""
    rubric = rsna2024_lumbar.rubric(rsna2024_lumbar.Spec())
    sites = rubric.sites[:2]
    units = tuple(rubric.unit_id("7", site) for site in sites)
    found = {}
    for number, name in enumerate(("near", "far_away")):
        pixels = np.full((2, 3, 1, 8, 6), 0.5 * number, np.float32)
        mask = np.array([[True] * 3, [number == 0] * 3])
        cuts = StudyCuts(units, sites, pixels, mask, np.zeros((2, 3), np.float32))
        found[name] = tmp_path / name
        save_cuts(part_folder(found[name], "7"), cuts)
    return found


def test_a_suspicious_label_is_shown_as_the_networks_saw_it(views) -> None:
    """A crop of each view that has one; of a whole study, a crop of each site."""
    rubric = rsna2024_lumbar.rubric(rsna2024_lumbar.Spec())
    first, second, *_ = rubric.sites
    show = show_crops(views, rubric, {rubric.unit_id("7", site): "7" for site in rubric.sites})
    label, other = (
        Suspicion("label", "review", 1.0, "r", "7", "spinal_canal_stenosis", site)
        for site in (first, second)
    )

    assert [one.title for one in show(label)] == ["near", "far away"]
    assert show(label)[1].image.tolist() == np.full((8, 6), 127).tolist()
    assert [one.title for one in show(other)] == ["near"]
    assert [one.title for one in show(Suspicion("level_shift", "review", 1.0, "r", "7"))] == [
        first,
        second,
    ]


def test_points_and_strangers_have_no_crops(views) -> None:
    """A point is shown on its slice or not at all; the next callback is asked."""
    rubric = rsna2024_lumbar.rubric(rsna2024_lumbar.Spec())
    show = show_crops(views, rubric, {})
    point = Suspicion("point", "review", 1.0, "r", "7", None, rubric.sites[0])
    stranger = Suspicion("side_swap", "review", 1.0, "r", "8")
    known = Suspicion("side_swap", "review", 1.0, "r", "7")

    assert (list(show(point)), list(show(stranger))) == ([], [])
    assert len(either(lambda _: (), show)(known)) == 2


def test_every_stack_gives_a_picture(forged) -> None:
    """One of the middle of each, under the subject of the labels."""
    labels = rsna2024_lumbar.read_labels(rsna2024_lumbar.Spec(), forged)
    tables = Tables(rsna2024_lumbar.rubric(rsna2024_lumbar.Spec()), labels)
    spec = AuditSpec()
    found = pictures_of("rsna2024_lumbar", forged / "train_images", tables=tables, spec=spec)

    assert len(found) >= 3
    assert set(labels.frame["subject"]) == {one.subject for one in found}
    assert len({one.name for one in found}) == len(found)


def test_a_folder_of_images_that_is_not_there_is_told(tmp_path) -> None:
    """The words name it."""
    tables = Tables(rsna2024_lumbar.rubric(rsna2024_lumbar.Spec()), Labels.empty())

    with pytest.raises(DatasetError, match="found no such folder, expected images"):
        pictures_of("rsna2024_lumbar", tmp_path / "no", tables=tables, spec=AuditSpec())
