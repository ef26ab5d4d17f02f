"""The RSNA 2024 lumbar layout: forged studies, tables alone, and every way to get them wrong."""

import gzip
import json
import shutil

import numpy as np
import polars as pl
import pytest

from overread.datasets import DatasetError, lumbar_points, lumbar_rows
from overread.datasets import rsna2024_lumbar as lumbar
from overread.datasets.lumbar_rows import COLUMNS, LEVELS
from overread.phantoms import forge_lumbar

SPEC = lumbar.Spec()


@pytest.fixture(scope="module")
def forged(tmp_path_factory):
    """Two forged studies; never written to."""
    folder = tmp_path_factory.mktemp("forged") / "studies"
    # Here, not by processes of their own, which take longer to start than two studies take.
    forge_lumbar(folder, num_studies=2, seed=0, workers=1)
    return folder


@pytest.fixture
def tables(forged, tmp_path):
    """The tables of the forged studies, without images, to be broken."""
    for table in forged.glob("*.csv"):
        shutil.copy(table, tmp_path)
    return tmp_path


def change(table, text, by):
    """Change a text in a table."""
    content = table.read_text()
    assert text in content
    table.write_text(content.replace(text, by, 1))


def test_studies_are_named_by_folders(forged):
    """Studies and series are called like their folders, and their roles are those of the table."""
    dataset = lumbar.read(SPEC, forged)
    table = pl.read_csv(forged / "train_series_descriptions.csv", infer_schema=False)
    expected = {
        (row["study_id"], row["series_id"], lumbar.ROLES[row["series_description"]])
        for row in table.iter_rows(named=True)
    }
    found = {(study.id, one.id, one.role) for study in dataset.studies for one in study.series}

    assert expected == found
    assert dataset.findings == ()


def test_labels_carry_the_subject_of_their_study(forged):
    """Labels of a study belong to the person whose study it is."""
    dataset = lumbar.read(SPEC, forged)
    expected = {study.id: study.subject for study in dataset.studies}

    assert expected == dict(dataset.labels.frame.select("study", "subject").iter_rows())
    assert set(expected.values()) == set(dataset.subjects)
    assert all(study.subject != study.id for study in dataset.studies)


def test_grades_are_those_of_the_phantoms(forged):
    """Every grade of every unit is the one that was drawn."""
    truth = json.loads((forged / "phantom_truth.json").read_text())["studies"]
    expected = {
        (f"{one['study_id']}@{level}", target): None if missing else grade
        for one in truth
        for target, grades, absent in zip(
            lumbar_rows.RUBRIC.names, one["grade"], one["missing"], strict=True
        )
        for level, grade, missing in zip(LEVELS, grades, absent, strict=True)
    }
    frame = lumbar.read(SPEC, forged).labels.frame
    found = {
        (unit, target): None if chances is None else int(np.argmax(chances))
        for unit, target, chances in frame.select("unit", "target", "probabilities").iter_rows()
    }

    assert expected == found


def test_points_lie_where_the_phantoms_were_marked(forged):
    """Marked points, lifted to mm, lie within a slice of the true places, on the right side."""
    truth = json.loads((forged / "phantom_truth.json").read_text())["studies"]
    points = lumbar.read(SPEC, forged).keypoints
    for one in truth:
        study = str(one["study_id"])
        for name, places in (
            ("discs", one["canal_centres"]),
            ("canal", one["canal_centres"]),
            ("left_foramina", one["foramina"]["left"]),
            ("right_foramina", one["foramina"]["right"]),
            ("left_recesses", one["recesses"]["left"]),
            ("right_recesses", one["recesses"]["right"]),
        ):
            found = points[name][study]
            wanted = np.array([places[LEVELS.index(level)] for level in found.names])

            assert len(found.names) >= 3
            assert np.linalg.norm(found.points - wanted, axis=1).max() < 12, (study, name)


@pytest.mark.parametrize("where", ["train_images", "train_images/{study}", "renamed"])
def test_new_studies_open_with_the_same_names(forged, tmp_path, where):
    """The images alone, one study, or a folder of another name give the same ids and roles."""
    dataset = lumbar.read(SPEC, forged)
    first = dataset.studies[0]
    path = forged / where.format(study=first.id)
    if where == "renamed":
        path = tmp_path / "renamed"
        (path / first.id).parent.mkdir()
        shutil.copytree(forged / "train_images" / first.id, path / first.id)
    reading = lumbar.open_studies(SPEC, path)
    found = {study.id: study.roles for study in reading.studies}

    assert first.roles == found[first.id]
    assert first.subject == next(one.subject for one in reading.studies if one.id == first.id)
    assert [one for one in reading.findings if "series" in one.code] == []


def test_test_images_have_no_labels(forged, tmp_path):
    """A folder of test_images with its table is read without labels."""
    study = lumbar.read(SPEC, forged).studies[0].id
    shutil.copytree(forged / "train_images" / study, tmp_path / "test_images" / study)
    table = pl.read_csv(forged / "train_series_descriptions.csv", infer_schema=False)
    table.filter(pl.col("study_id") == study).write_csv(tmp_path / "test_series_descriptions.csv")
    dataset = lumbar.read(SPEC, tmp_path)

    assert [study] == [one.id for one in dataset.studies]
    assert {"by the table of roles"} == {one.role_reason for one in dataset.studies[0].series}
    assert len(dataset.labels) == 0


def test_a_name_of_a_folder_is_not_taken_for_an_id(forged, tmp_path):
    """In a folder of unknown origin, a study keeps its UID when its folder is no number."""
    study = lumbar.read(SPEC, forged).studies[0]
    shutil.copytree(forged / "train_images" / study.id, tmp_path / "export" / "Doe^Jane")
    reading = lumbar.open_studies(SPEC, tmp_path / "export")

    assert [study.uid] == [one.id for one in reading.studies]


def test_two_uids_in_one_folder_are_one_study(forged, tmp_path):
    """A study folder that holds two StudyInstanceUIDs stays one study, and that is told."""
    first, second = lumbar.read(SPEC, forged).studies
    images = tmp_path / "train_images"
    for study in (first, second):
        source = forged / "train_images" / study.id
        shutil.copytree(source, images / "7", dirs_exist_ok=True)
    reading = lumbar.open_studies(SPEC, tmp_path)

    assert [study.id for study in reading.studies] == ["7"]
    assert len(first.series) + len(second.series) == len(reading.studies[0].series)
    assert "study_uids_differ" in {one.code for one in reading.findings}
    (part,) = lumbar.open_parts(SPEC, tmp_path)
    assert part.to_json() == reading.to_json()
    assert [study.id for study in part.studies] == ["7"]


def test_tables_alone_give_labels(tables):
    """Without images there are labels but no studies, and a note tells why."""
    dataset = lumbar.read(SPEC, tables)

    assert len(dataset.labels) == 50
    assert dataset.studies == ()
    assert [one.code for one in dataset.findings] == ["images_absent"]


def test_tables_may_be_compressed(tables):
    """A gzipped train.csv is read like a plain one."""
    plain = lumbar.read(SPEC, tables).labels.frame
    packed = gzip.compress((tables / "train.csv").read_bytes())
    (tables / "train.csv.gz").write_bytes(packed)
    (tables / "train.csv").unlink()

    assert plain.equals(lumbar.read(SPEC, tables).labels.frame)


def test_labels_of_studies_without_images_are_told(forged, tmp_path):
    """A graded study without a folder is left out of the labels, in one line."""
    copy = tmp_path / "copy"
    shutil.copytree(forged, copy)
    gone, kept = sorted(path.name for path in (copy / "train_images").iterdir())
    shutil.rmtree(copy / "train_images" / gone)
    dataset = lumbar.read(SPEC, copy)
    [told] = [one for one in dataset.findings if one.code == "labels_without_images"]

    assert {kept} == set(dataset.labels.frame["study"])
    assert f"found 1 graded studies without images, such as {gone}" in told.message
    assert "series_without_images" in {one.code for one in dataset.findings}


def test_points_without_their_image_are_told(forged, tmp_path):
    """A point on an instance that is not there is left out, with a finding for its study."""
    copy = tmp_path / "copy"
    shutil.copytree(forged, copy)
    table = pl.read_csv(copy / "train_label_coordinates.csv")
    table.with_columns(instance_number=pl.col("instance_number") + 9000).write_csv(
        copy / "train_label_coordinates.csv"
    )
    dataset = lumbar.read(SPEC, copy)

    assert dataset.keypoints["discs"] == {}
    assert len([one for one in dataset.findings if one.code == "points_left_out"]) == 2


def test_points_on_a_copy_of_a_slice_count(forged, tmp_path):
    """A point on a file that is set aside as a copy of another is lifted by its own plane."""
    expected = lumbar.read(SPEC, forged).keypoints["canal"]
    copy = tmp_path / "copy"
    shutil.copytree(forged, copy)
    table = pl.read_csv(copy / "train_label_coordinates.csv")
    for study, series, instance in table.select(table.columns[:3]).unique().iter_rows():
        folder = copy / "train_images" / str(study) / str(series)
        # The copy comes after the slice in every order of names, and so is the one set aside.
        shutil.copy(folder / f"{instance}.dcm", folder / f"{instance + 90000}.dcm")
    table.with_columns(instance_number=pl.col("instance_number") + 90000).write_csv(
        copy / "train_label_coordinates.csv"
    )
    dataset = lumbar.read(SPEC, copy)

    assert "duplicate" in {one.code for one in dataset.findings}
    assert expected.keys() == dataset.keypoints["canal"].keys()
    for study, points in expected.items():
        assert points.names == dataset.keypoints["canal"][study].names
        assert np.allclose(points.points, dataset.keypoints["canal"][study].points)


@pytest.mark.parametrize(
    ("table", "text", "by", "words"),
    [
        ("train.csv", "study_id", "study", r"no column study_id.*did you mean .study."),
        ("train.csv", "canal_stenosis_l1_l2", "canal_stenosis_l1l2", "l1l2"),
        ("train.csv", "Normal/Mild", "Normal", 'found "Normal" for study .* expected Normal/Mild'),
        (
            "train_label_coordinates.csv",
            "Spinal Canal",
            "Spinal Kanal",
            "did you mean .spinal_canal",
        ),
        ("train_label_coordinates.csv", "L1/L2", "L0/L1", "L0/L1.*expected one of 5"),
    ],
)
def test_misspelt_tables_are_told(tables, table, text, by, words):
    """A misspelt column or word is named, with what it should have been."""
    change(tables / table, text, by)

    with pytest.raises(DatasetError, match=words) as told:
        (lumbar.read_labels(SPEC, tables), lumbar_points.read_points(tables / table))
    assert str(tables / table) in str(told.value)
    assert "\n" not in str(told.value)


def test_a_study_twice_is_told(tables):
    """A repeated row is refused with its key."""
    path = tables / "train.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines, lines[1]]))

    with pytest.raises(DatasetError, match=r"2 rows that repeat, such as \d+; expected one row"):
        lumbar.read(SPEC, tables)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: path, "found nothing, expected a folder with train.csv and train_images"),
        (lambda path: path.write_text("x"), "found a file, expected a folder"),
        (lambda path: path.mkdir(), "found neither train.csv nor train_images"),
    ],
)
def test_wrong_folders_are_told(tmp_path, make, words):
    """A folder that is missing, a file or empty is told in one line."""
    make(tmp_path / "data")

    with pytest.raises(DatasetError, match=words):
        lumbar.read(SPEC, tmp_path / "data")


def test_row_ids_go_to_and_fro():
    """All 25 row ids are parsed to what they were made of, also for ids with underscores."""
    expected = [(study, *where) for study in ("123", "a_left_b") for where in COLUMNS.values()]
    found = [lumbar.parse_row_id(lumbar.row_id(*one)) for one in expected]

    assert len(set(expected)) == 50
    assert expected == found


def test_unknown_row_ids_are_told():
    """A row id that ends on no target is refused with an example."""
    with pytest.raises(DatasetError, match="123_left_subarticular_stenosis_l4_l5"):
        lumbar.parse_row_id("123_spinal_stenosis_l1_l2")


def uniform_rows(num_studies=2):
    """A submission of random numbers that do not sum to one."""
    ids = [
        lumbar.row_id(str(study), *one) for study in range(num_studies) for one in COLUMNS.values()
    ]
    numbers = np.random.default_rng(0).random((len(ids), 3)) + 0.1
    return pl.DataFrame({"row_id": ids, **dict(zip(lumbar_rows.GRADES, numbers.T, strict=True))})


def test_submission_goes_to_and_fro(tmp_path):
    """A submission is 25 sorted rows a study that sum to one, and reads back as it was."""
    read = lumbar.read_submission(SPEC, uniform_rows(), "ours")
    written = lumbar.submission(SPEC, read)
    written.write_csv(tmp_path / "submission.csv")
    again = lumbar.submission(
        SPEC, lumbar.read_submission(SPEC, tmp_path / "submission.csv", "again")
    )

    assert written.columns == ["row_id", "normal_mild", "moderate", "severe"]
    assert sorted(uniform_rows()["row_id"]) == written["row_id"].to_list()
    assert (
        pytest.approx(written.select(lumbar_rows.GRADES).sum_horizontal().to_list()) == [1.0] * 50
    )
    assert np.allclose(written.select(lumbar_rows.GRADES), again.select(lumbar_rows.GRADES))


def test_incomplete_submissions_are_refused():
    """A study with 24 rows is not submitted unless that is asked for."""
    read = lumbar.read_submission(SPEC, uniform_rows()[:-1], "ours")

    with pytest.raises(DatasetError, match="found 49 rows, expected 50: 1_right_subarticular"):
        lumbar.submission(SPEC, read)
    assert len(lumbar.submission(SPEC, read, complete=False)) == 49


@pytest.mark.parametrize("bad", [None, float("nan"), float("inf"), -0.1])
def test_rows_that_are_no_probabilities_are_told(bad):
    """A missing, infinite or negative number is refused with the row that holds it."""
    rows = uniform_rows()
    rows[3, "severe"] = bad

    with pytest.raises(DatasetError, match="1 rows that are no probabilities, such as 0_spinal"):
        lumbar.read_submission(SPEC, rows, "ours")


def test_submissions_lacking_a_column_are_told(tmp_path):
    """A submission without a column of a grade is refused, from a file and from a table."""
    rows = uniform_rows().drop("severe")
    rows.write_csv(tmp_path / "submission.csv")

    for given in (rows, tmp_path / "submission.csv"):
        with pytest.raises(DatasetError, match=r"no column .*severe"):
            lumbar.read_submission(SPEC, given, "ours")


def test_real_tables(real_data):
    """The real tables of 1,580 studies give 25 labels each, and points in both spellings."""
    folder = real_data / "lumbar_rsna2024" / "labels"
    labels = lumbar.read_labels(SPEC, folder)
    points = [
        lumbar_points.read_points(folder / f"train_label_coordinates{kind}.csv.gz")
        for kind in ("", ".fix01b")
    ]

    assert len(labels) == 1580 * 25
    assert labels.frame["probabilities"].null_count() == 461
    assert [len(one) > 38_000 for one in points] == [True, True]
    assert (
        set(points[0]["condition"]) == set(points[1]["condition"]) == set(lumbar_rows.RUBRIC.names)
    )
