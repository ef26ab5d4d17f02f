"""The head CT dataset: scans from a flat folder, labels from tables, and their dirt."""

import gzip
import json

import polars as pl
import pytest

from overread.datasets import DatasetError
from overread.datasets import rsna2019_head_ct as heads
from overread.datasets.head_ct_tables import TARGETS, derive_any, read_labels_table
from overread.phantoms.head_ct import forge_head_ct

SPEC = heads.Spec()
RUBRIC = heads.rubric(SPEC)


@pytest.fixture(scope="module")
def forged(tmp_path_factory):
    """Three scans, clean."""
    folder = tmp_path_factory.mktemp("heads")
    forge_head_ct(folder, num_studies=3, seed=11, pixels=128, workers=1)
    return folder


@pytest.fixture(scope="module")
def dataset(forged):
    """The three scans, read."""
    return heads.read(SPEC, forged)


def write_labels(folder, rows):
    """A table of labels as published."""
    frame = pl.DataFrame(rows, schema={"ID": pl.String, "Label": pl.String}, orient="row")
    frame.write_csv(folder / "stage_2_train.csv")
    return folder / "stage_2_train.csv"


def all_targets(unit, value="0"):
    """Six rows of a slice."""
    return [(f"{unit}_{target}", value) for target in TARGETS]


def copied(forged, folder, files=10**6):
    """A folder of links to forged files."""
    (folder / "stage_2_train").mkdir()
    for path in sorted((forged / "stage_2_train").iterdir())[:files]:
        (folder / "stage_2_train" / path.name).hardlink_to(path)
    return folder


def test_slices_become_scans_in_order(forged, dataset):
    """Studies, patients, and the order of slices are those that were forged."""
    truth = json.loads((forged / "phantom_truth.json").read_text())["studies"]
    labels = dataset.labels.frame.filter(pl.col("target") == "any")
    assert {one["study"]: one["subject"] for one in truth} == {
        study.id: study.subject for study in dataset.studies
    }
    for one in truth:
        rows = labels.filter(pl.col("study") == one["study"]).sort("site")
        [study] = [study for study in dataset.studies if study.id == one["study"]]

        assert [image["unit"] for image in one["slices"]] == rows["unit"].to_list()
        assert rows["site"].to_list() == list(heads.sites(RUBRIC, study))
        assert set(rows["subject"]) == {one["subject"]}


def test_labels_are_those_of_the_table(forged, dataset):
    """Each row of the table is a label of its slice; "any" counts twice in the rubric."""
    table = pl.read_csv(forged / "stage_2_train.csv")
    expected = dict(table.iter_rows())
    found = {
        f"{unit}_{target}": chances[1]
        for unit, target, chances in dataset.labels.frame.select(
            "unit", "target", "probabilities"
        ).iter_rows()
    }

    assert expected == found
    assert sum(found.values()) > 0
    assert RUBRIC.target("any").weights == (2.0, 2.0)
    assert RUBRIC.unit == "slice"


def test_any_may_be_derived():
    """With `any: max` the rubric learns five targets, and a submission gets the sixth."""
    spec = heads.Spec(any="max")
    rubric = heads.rubric(spec)
    rows = [
        (f"ID_1_{name}", chance)
        for name, chance in zip(rubric.names, (0.1, 0.2, 0.7, 0.3, 0.4), strict=True)
    ]
    said = heads.read_submission(
        spec, pl.DataFrame(rows, schema=["ID", "Label"], orient="row"), "ours"
    )
    table = dict(heads.submission(spec, said).iter_rows())

    assert tuple(one.name for one in rubric.derived) == ("any",)
    assert "any" not in rubric.names
    assert table["ID_1_any"] == pytest.approx(0.7)
    assert len(derive_any(derive_any(said))) == 6


def test_repeated_rows_are_taken_once(tmp_path):
    """Equal rows count once; contradicting rows give a missing label; both are told."""
    rows = all_targets("ID_a") + all_targets("ID_a") + all_targets("ID_b") + [("ID_b_any", "1")]
    values, findings = read_labels_table(write_labels(tmp_path, rows))
    by_key = {(unit, target): value for unit, target, value in values.iter_rows()}

    assert len(values) == 12
    assert by_key["ID_a", "any"] == 0
    assert by_key["ID_b", "any"] is None
    assert {"labels_repeat", "labels_contradict"} == {one.code for one in findings}


def test_any_that_is_not_the_maximum_is_told(tmp_path):
    """A slice with a bleed and without "any" is kept as it is, and told."""
    rows = [*all_targets("ID_a")[:-1], ("ID_a_subdural", "1")]
    values, findings = read_labels_table(write_labels(tmp_path, rows))

    assert [one.code for one in findings] == ["any_contradicts"]
    assert values["value"].sum() == 1


def test_a_table_with_one_column_a_target_reads_alike(forged, tmp_path):
    """The pivoted table of published code, compressed, gives the same labels."""
    long = pl.read_csv(forged / "stage_2_train.csv")
    split = long.with_columns(pl.col("ID").str.extract_groups(r"^(?<Image>.*)_(?<target>[a-z]+)$"))
    wide = split.unnest("ID").pivot("target", index="Image", values="Label")
    with gzip.open(tmp_path / "stage_2_train.csv.gz", "wt") as file:
        file.write(wide.write_csv())
    expected = heads.read_labels(SPEC, forged / "stage_2_train.csv").frame.sort("unit", "target")
    found = heads.read_labels(SPEC, tmp_path / "stage_2_train.csv.gz").frame.sort("unit", "target")

    assert expected.equals(found)


def test_a_broken_file_costs_one_slice(forged, tmp_path):
    """A slice whose pixels are cut off is refused and loses its labels; its neighbours stay."""
    copied(forged, tmp_path)
    (tmp_path / "stage_2_train.csv").write_bytes((forged / "stage_2_train.csv").read_bytes())
    victim = sorted((tmp_path / "stage_2_train").iterdir())[5]
    data = victim.read_bytes()
    victim.unlink()
    victim.write_bytes(data[: len(data) // 2])
    dataset = heads.read(SPEC, tmp_path)
    whole = heads.read(SPEC, forged)
    codes = {one.code for one in dataset.findings}

    assert len(whole.labels) - 6 == len(dataset.labels)
    assert victim.stem not in set(dataset.labels.frame["unit"])
    assert "labels_without_images" in codes
    assert any(one.severity == "refuse" and one.file == victim.name for one in dataset.findings)


def test_a_file_that_lies_there_twice_counts_once(forged, tmp_path):
    """A copy of a slice under another name is told, and its scan keeps its length."""
    copied(forged, tmp_path)
    (tmp_path / "stage_2_train.csv").write_bytes((forged / "stage_2_train.csv").read_bytes())
    first = sorted((tmp_path / "stage_2_train").iterdir())[0]
    (tmp_path / "stage_2_train" / "copy.dcm").write_bytes(first.read_bytes())
    dataset = heads.read(SPEC, tmp_path)

    assert len(pl.read_csv(forged / "stage_2_train.csv")) == len(dataset.labels)
    assert any("duplicate" in one.code for one in dataset.findings)


def test_the_known_broken_slice_is_left_out(tmp_path):
    """Labels of ID_6431af929 are not used unless the setting says so."""
    table = write_labels(tmp_path, all_targets("ID_6431af929") + all_targets("ID_b"))

    assert {"ID_b"} == set(heads.read_labels(SPEC, table).frame["unit"])
    assert len(heads.read_labels(heads.Spec(left_out=()), table)) == 12
    assert "labels_left_out" in {one.code for one in heads.read(SPEC, tmp_path).findings}


def test_images_without_labels_are_read_to_be_graded(forged, tmp_path):
    """A folder of slices alone, in any layout, gives scans and no labels."""
    folder = copied(forged, tmp_path) / "stage_2_train"
    named, bare = heads.read(SPEC, tmp_path), heads.read(SPEC, folder)

    assert 3 == len(named.studies) == len(bare.studies)
    assert 0 == len(named.labels) == len(bare.labels)


def test_slices_without_labels_are_told(forged, tmp_path):
    """Where the table lacks slices they are read, and told."""
    copied(forged, tmp_path)
    table = pl.read_csv(forged / "stage_2_train.csv")
    table.head(60).write_csv(tmp_path / "stage_2_train.csv")
    dataset = heads.read(SPEC, tmp_path)

    assert len(dataset.labels) == 60
    assert "images_without_labels" in {one.code for one in dataset.findings}


def test_tables_alone_plan_without_patients(forged, tmp_path):
    """Labels without headers make each slice its own patient, and say so."""
    (tmp_path / "stage_2_train.csv").write_bytes((forged / "stage_2_train.csv").read_bytes())
    dataset = heads.read(SPEC, tmp_path)

    assert dataset.studies == ()
    assert {"images_absent", "subjects_unknown"} == {one.code for one in dataset.findings}
    assert set(dataset.labels.frame["unit"]) == set(dataset.subjects)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([("ID_a_epidurl", "0")], 'did you mean "epidural"'),
        ([("ID_a_any", "2")], "neither|expected 0, 1"),
        ([("", "0")], "rows such as ID"),
    ],
)
def test_wrong_tables_are_refused_by_name(rows, words, tmp_path):
    """The words name the table, what was found, and the nearest that is right."""
    table = write_labels(tmp_path, rows)
    with pytest.raises(DatasetError, match=words) as told:
        heads.read_labels(SPEC, table)

    assert "stage_2_train.csv" in str(told.value)


@pytest.mark.parametrize("label", ["1.2", "-0.1", "nan", "", "yes"])
def test_submissions_hold_probabilities(label, tmp_path):
    """A Label that is no probability is refused with its slice."""
    table = write_labels(tmp_path, [("ID_a_any", label)])
    with pytest.raises(DatasetError, match=r"ID_a, any"):
        heads.read_submission(SPEC, table, "ours")


def test_incomplete_submissions_are_refused(tmp_path):
    """A slice without all six rows cannot be submitted, unless that is asked for."""
    rows = write_labels(tmp_path, all_targets("ID_a", "0.5")[:4])
    said = heads.read_submission(SPEC, rows, "ours")
    with pytest.raises(DatasetError, match="subarachnoid, subdural"):
        heads.submission(SPEC, said)

    assert len(heads.submission(SPEC, said, complete=False)) == 4


def test_the_real_files_read(real_data):
    """Five single slices of five patients, implicit and explicit, signed and unsigned."""
    folder = real_data / "head_ct" / "rsna2019_dicom_single"
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent")
    dataset = heads.read(SPEC, folder)

    assert 5 == len(dataset.studies) == len(dataset.subjects)
    assert all("ct" in study.roles for study in dataset.studies)
