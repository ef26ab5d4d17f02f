"""The SPIDER layout: painted images, tables, masks, and every way to get them wrong."""

import numpy as np
import polars as pl
import pytest
from PIL import Image

from overread.datasets import DatasetError, NotForgeableError, spider
from overread.datasets.spider_masks import disc_points

SPEC = spider.Spec()
GRADINGS = "Patient,IVD label,Modic,Disc narrowing,Disc bulging,Pfirrman grade"
SPACING = 0.5


def mask_of(num_discs=4, *, rows=200, split=(), part=(), gone=()):
    """A mask of discs 40 rows apart, 6 rows high, the lowest at row 180; vertebrae between.

    Discs in `split` are drawn in two pieces, of `part` only a bit is drawn, `gone` are not drawn.
    """
    mask = np.zeros((rows, 120), np.uint8)
    mask[:, 80:90] = 150
    for number in range(1, num_discs + 1):
        row = 180 - 40 * (number - 1)
        mask[row - 34 : row - 6, 30:70] = 76
        if number in gone:
            continue
        mask[row - 3 : row + 3, 30 : 36 if number in part else 70] = 29
        if number in split:
            mask[row - 3 : row + 3, 45:55] = 0
    return mask


@pytest.fixture
def folder(tmp_path):
    """Patient 7 with T1, T2 and a masked slice, patient 8 with T2; grades of both."""
    rng = np.random.default_rng(0)
    (tmp_path / "midsagittal").mkdir()
    for name in ("7_t1", "7_t2", "8_t2"):
        paint(tmp_path / "midsagittal" / f"{name}.png", rng.integers(0, 255, (200, 120)))
    for name in ("t2_space_images", "t2_space_masks"):
        (tmp_path / name).mkdir()
        paint(tmp_path / name / "7_t2_SPACE_slice62.png", mask_of())
    rows = [f"{patient},{disc},0,1,0,{disc}" for patient in (7, 8) for disc in (1, 2, 3)]
    (tmp_path / "radiological_gradings.csv").write_text("\n".join([GRADINGS, *rows]) + "\n")
    names = ("7_t1", "7_t2", "7_t2_SPACE", "8_t2")
    lines = [f'{name},"[.5, .5]"' for name in names]
    (tmp_path / "overview.csv").write_text("\n".join(["new_file_name,PixelSpacing", *lines]))
    return tmp_path


def paint(path, pixels):
    """Write grey pixels."""
    Image.fromarray(np.asarray(pixels, np.uint8)).save(path)


def codes(dataset):
    """Codes of all findings."""
    return [one.code for one in dataset.findings]


def test_a_patient_is_a_study_of_several_series(folder):
    """Images of a patient are series with roles by their names; columns run to the back."""
    first, second = spider.read(SPEC, folder).studies

    assert ("7", "8") == (first.id, second.id) == (first.subject, second.subject)
    assert {"sagittal_t1", "sagittal_t2", "sagittal_t2_space_masked"} == first.roles
    assert [tuple(size) for size in first.series[0].planes.size] == [(200, 120)]
    assert first.series[0].planes.to_world([0], [[10, 20]]).tolist() == [[0, 5, -10]]


def test_an_image_may_be_a_study(folder):
    """With one study an image, each has the grades of the patient, who stays one subject."""
    dataset = spider.read(spider.Spec(study="image"), folder)
    expected = {"7_t1": "7", "7_t2": "7", "7_t2_SPACE_slice62": "7", "8_t2": "8"}

    assert expected == {study.id: study.subject for study in dataset.studies}
    assert expected == dict(dataset.labels.frame.select("study", "subject").iter_rows())
    assert list(dataset.keypoints["discs"]) == ["7_t2_SPACE_slice62"]


def test_labels(folder):
    """Disc 1 is the lowest; Pfirrmann grades count from 1, the others are no and yes."""
    frame = spider.read(SPEC, folder).labels.frame
    found = {
        (row["unit"], row["target"]): row["probabilities"] for row in frame.iter_rows(named=True)
    }

    assert len(found) == 2 * 3 * 3
    assert found["7@disc2", "pfirrmann"] == [0, 1, 0, 0, 0]
    assert found["8@disc3", "narrowing"] == [0, 1]
    assert found["8@disc3", "bulging"] == [1, 0]


def test_an_empty_cell_is_a_label_without_grade(folder):
    """A grade that is missing is null, and the other grades of the disc stay."""
    table = folder / "radiological_gradings.csv"
    table.write_text(table.read_text().replace("7,1,0,1,0,1", "7,1,0,1,0,"))
    frame = spider.read(SPEC, folder).labels.frame
    missing = frame.filter(pl.col("probabilities").is_null())

    assert missing.select("unit", "target").rows() == [("7@disc1", "pfirrmann")]


def test_points_of_masks_are_millimetres(folder):
    """Disc middles, fronts and backs are lifted by the spacing of the scan, the lowest first."""
    points = spider.read(SPEC, folder).keypoints["discs"]["7"]
    middle, (front, back) = points.get("disc1"), points.ends[0]

    assert points.names == ("disc1", "disc2", "disc3", "disc4")
    assert pytest.approx(middle.tolist(), abs=0.6) == [0, 49.5 * SPACING, -179.5 * SPACING]
    assert front[1] < middle[1] < back[1]
    assert pytest.approx(back[1] - middle[1], abs=0.6) == 20 * SPACING


def test_masks_can_be_left_out(folder):
    """Without masked slices there are no points and no such series."""
    dataset = spider.read(spider.Spec(masked=False), folder)

    assert dataset.keypoints == {}
    assert {"sagittal_t1", "sagittal_t2"} == dataset.studies[0].roles


@pytest.mark.parametrize(
    ("drawn", "numbers"),
    [
        ({}, [1, 2, 3, 4]),
        ({"split": (1, 3)}, [1, 2, 3, 4]),
        ({"part": (2,)}, [1, 3, 4]),
        ({"part": (1,)}, [2, 3, 4]),
        ({"gone": (1,)}, []),
        ({"gone": (1, 2, 3, 4)}, []),
        ({"num_discs": 1}, [1]),
    ],
    ids=str,
)
def test_incomplete_masks(drawn, numbers):
    """Pieces are one disc; a disc drawn in part keeps its number; no lowest disc, no numbers."""
    assert numbers == list(disc_points(mask_of(**drawn)))


def test_a_mask_that_cannot_be_numbered_is_told(folder):
    """A mask without its lowest disc gives no points but a note."""
    paint(folder / "t2_space_masks" / "7_t2_SPACE_slice62.png", mask_of(gone=(1,)))
    dataset = spider.read(SPEC, folder)

    assert dataset.keypoints == {}
    assert codes(dataset) == ["mask_incomplete"]


def test_images_without_tables_are_read_to_be_graded(folder, tmp_path_factory):
    """A bare folder of images opens, with a note that their spacing is assumed."""
    bare = tmp_path_factory.mktemp("new")
    paint(bare / "9_t2.png", np.zeros((64, 32)))
    paint(bare / "screenshot.png", np.zeros((64, 32)))
    dataset = spider.read(SPEC, bare)
    [study] = spider.open_studies(SPEC, bare / "9_t2.png").studies

    assert "9" == study.id == dataset.studies[0].id
    assert study.series[0].planes.spacing.tolist() == [[0.625, 0.625]]
    assert codes(dataset) == ["name_unknown", "spacing_unknown"]
    assert len(dataset.labels) == 0


def test_a_file_that_is_no_png_is_set_aside(folder):
    """A broken image becomes a finding; the others are read."""
    (folder / "midsagittal" / "8_t2.png").write_bytes(b"no picture")
    dataset = spider.read(SPEC, folder)

    assert [study.id for study in dataset.studies] == ["7"]
    assert codes(dataset) == ["image_unreadable", "labels_without_images"]
    assert {"7"} == set(dataset.labels.frame["study"])


@pytest.mark.parametrize(
    ("text", "by", "words"),
    [
        ("Pfirrman grade", "Pfirrmann grade", "no column Pfirrman grade.*did you mean"),
        ("7,2,0,1,0,2", "7,2,0,1,0,6", 'patient 7, disc 2: found "6", expected .* from 1 to 5'),
        ("7,2,0,1,0,2", "7,2,0,yes,0,2", 'Disc narrowing .* found "yes", expected .* from 0 to 1'),
        ("7,2,0,1,0,2", "7,12,0,1,0,2", 'found "12", expected a whole number from 1 to 9'),
        ("7,2,0,1,0,2", "7,1,0,1,0,2", "2 rows that repeat, such as 7, 1"),
    ],
)
def test_wrong_gradings_are_told(folder, text, by, words):
    """A misspelt column, an impossible grade or a repeated disc is told in one line."""
    table = folder / "radiological_gradings.csv"
    table.write_text(table.read_text().replace(text, by))

    with pytest.raises(DatasetError, match=words) as told:
        spider.read(SPEC, folder)
    assert str(table) in str(told.value)


def test_a_folder_without_images_is_told(tmp_path):
    """An empty folder says what should be in it."""
    with pytest.raises(DatasetError, match="found no image, expected midsagittal"):
        spider.read(SPEC, tmp_path)


def test_phantoms_have_no_pfirrmann_grades(tmp_path):
    """Forging is refused with what to do instead."""
    with pytest.raises(NotForgeableError, match="use rsna2024_lumbar"):
        spider.forge(tmp_path, studies=1, seed=0, style="clean")


def test_real_images(real_data):
    """The real copy: 177 patients, 30 masks all numbered as the gradings number them."""
    dataset = spider.read(SPEC, real_data / "lumbar_spider")
    discs = dataset.keypoints["discs"]
    graded = dict(dataset.labels.frame.group_by("study").agg(pl.col("site").n_unique()).iter_rows())
    surplus = [max(int(one[4:]) for one in found.names) - graded[s] for s, found in discs.items()]

    assert len(dataset.studies) == 177
    assert codes(dataset) == ["labels_without_images"]
    assert len(discs) == 30
    # One mask ends early; the highest discs of some are drawn but not graded.
    assert [one for one in surplus if one not in (0, 1)] == [-2]
