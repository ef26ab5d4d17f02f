"""Forged head CTs: repeatable, plausible in HU, with blood where its kind belongs."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pydicom
import pytest

from overread.phantoms.head_ct import LEAST_MM2, forge_head_ct, forge_scan, patient_of
from overread.phantoms.head_ct_anatomy import Brain, Shell, draw_anatomy
from overread.phantoms.head_ct_bleeds import KINDS, blood, draw_bleeds
from overread.phantoms.head_ct_dirt import soil_scan
from overread.phantoms.head_ct_fields import Points, refine
from overread.phantoms.head_ct_scan_files import label_rows


@pytest.fixture(scope="module")
def scan():
    """A scan with blood."""
    return forge_scan(7, 2, pixels=128)


@pytest.fixture(scope="module")
def forged(tmp_path_factory):
    """Two scans in a folder."""
    folder = tmp_path_factory.mktemp("heads")
    forge_head_ct(folder, num_studies=2, seed=3, pixels=128, workers=1)
    return folder


def grid(step=3.0):
    """Places all over a head."""
    x, y, z = (np.arange(-high, high, step) for high in (80, 100, 90))
    return Points(*(part.ravel() for part in np.meshgrid(x, y, z, indexing="ij")))


def many_bleeds(count=60):
    """Bleedings of all kinds and sizes."""
    rng = np.random.default_rng(5)
    return [bleed for _ in range(count) for bleed in draw_bleeds(rng, chance=1.0)]


def test_a_scan_depends_on_seed_and_place_alone(scan):
    """The same seed and place give the same bytes; another place gives others."""
    again, other = forge_scan(7, 2, pixels=128), forge_scan(7, 3, pixels=128)

    assert [one.unit for one in scan.slices] == [one.unit for one in again.slices]
    for one, two in zip(scan.slices, again.slices, strict=True):
        assert (one.pixels == two.pixels).all()
    assert scan.slices[0].unit != other.slices[0].unit


def test_fewer_studies_are_the_first_of_more(forged, tmp_path):
    """One forged study is, file by file, the first of two, and the labels are a beginning."""
    forge_head_ct(tmp_path / "one", num_studies=1, seed=3, pixels=128, workers=1)
    few = {path.name: path.read_bytes() for path in (tmp_path / "one").rglob("*.dcm")}
    many = {path.name: path.read_bytes() for path in forged.rglob("*.dcm")}
    start = (tmp_path / "one" / "stage_2_train.csv").read_text()

    assert 24 <= len(few) < len(many)
    assert few == {name: many[name] for name in few}
    assert (forged / "stage_2_train.csv").read_text().startswith(start)


def test_values_are_those_of_a_head(scan):
    """Air, bone, and a brain between liquor and grey matter; the scan covers base and top."""
    hu = np.stack([one.pixels for one in scan.slices]).astype(int) - 1024
    hu[hu < -1024] = -1024
    middle = hu[len(hu) // 2]
    inside = middle[54:74, 54:74]

    assert 24 <= len(hu) <= 40
    assert np.median(hu) == pytest.approx(-1000, abs=15)
    assert 1100 < np.percentile(hu, 99.9) < 2200
    assert 18 < np.median(inside) < 42
    assert (hu[-1] > 300).mean() < (middle > 300).mean()


def test_labels_say_where_blood_is_seen(scan):
    """A slice has a label exactly if its blood covers enough of it; any is one of them."""
    labels = dict(label_rows(scan))
    for one in scan.slices:
        seen = {kind for kind in KINDS if one.areas.get(kind, 0) >= LEAST_MM2}

        assert seen == {kind for kind in KINDS if labels[f"{one.unit}_{kind}"]}
        assert bool(seen) == labels[f"{one.unit}_any"]
    assert any(labels.values())


@pytest.mark.parametrize("kind", KINDS)
def test_blood_lies_where_its_kind_belongs(kind):
    """Epidural and subdural blood touch the skull or falx, the others never leave their spaces."""
    p = grid()
    who = draw_anatomy(np.random.default_rng(1))
    brain = Brain(who, p, Shell(who, p).cavity)
    ours = [bleed for bleed in many_bleeds() if bleed.kind == kind]
    sizes = []
    for bleed in ours:
        inside = blood(bleed, brain) < 0
        sizes.append(int(inside.sum()))
        if not inside.any():
            continue
        depth = brain.depth[inside]
        if bleed.form in ("lens", "crescent"):
            assert depth.min() < 6
        if kind == "intraventricular":
            assert (brain.ventricles[inside] < 1.3).all()
        if kind == "subarachnoid":
            near = np.minimum(np.minimum(brain.sulci, brain.cisterns), brain.fissure)
            assert (near[inside] < 3.5).all()
        if kind == "intraparenchymal":
            assert depth.min() > 0
        if bleed.form == "crescent":
            assert (p.x[inside] * bleed.side > -12).all()
    assert len(ours) > 8
    assert max(sizes) > 20 * (np.percentile(sizes, 10) + 1)


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
def test_headers_are_those_of_the_archive(forged):
    """22 elements, invalid ids, tilt in the orientation, no instance number."""
    paths = sorted(forged.rglob("*.dcm"))
    file = pydicom.dcmread(paths[0])
    pixels = file.pixel_array
    row_column = [float(value) for value in file.ImageOrientationPatient]

    assert len(file) == 22
    assert str(file.SOPInstanceUID) == paths[0].stem
    assert "InstanceNumber" not in file
    assert row_column[:3] == [1, 0, 0]
    assert (file.Rows, file.Columns) == pixels.shape == (128, 128)
    assert file.RescaleIntercept == -1024


def test_truth_tells_bleeds_and_places(forged):
    """The truth names each slice with its place, and the kinds that the labels hold."""
    truth = json.loads((forged / "phantom_truth.json").read_text())["studies"]
    labels = pl.read_csv(forged / "stage_2_train.csv")

    assert len(truth) == 2
    assert sum(len(one["slices"]) for one in truth) * 6 == len(labels)
    for one in truth:
        assert [image["place"] for image in one["slices"]] == list(range(1, len(one["slices"]) + 1))
        kinds = {bleed["kind"] for bleed in one["bleeds"]}
        assert {kind for image in one["slices"] for kind in image["area_mm2"]} <= kinds


def test_hospital_style_soils_some_scans(scan):
    """Dirt of all kinds is drawn by study, and noted with its slices; others stay clean."""
    soiled = [soil_scan(replace(scan, index=index)) for index in range(60)]
    kinds = {note["kind"] for one in soiled for note in one.dirt}
    named = {image.unit for image in scan.slices}

    assert {"missing_slices", "labels_twice", "labels_contradict", "labels_missing"} <= kinds
    assert {"cut_file", "odd_matrix"} <= kinds
    assert 20 < sum(not one.dirt for one in soiled) < 50
    assert all(set(note["units"]) <= named for one in soiled for note in one.dirt)


def test_some_patients_are_scanned_twice():
    """Follow-ups share the patient and the head, not the study."""
    patients = [patient_of(0, index) for index in range(200)]

    assert 150 < len(set(patients)) < 195


@pytest.mark.parametrize(
    "wrong",
    [{"num_studies": 0}, {"seed": -1}, {"style": "dirty"}, {"pixels": 200}, {"workers": 0}],
)
def test_impossible_settings_are_refused(wrong, tmp_path):
    """The words say what was found and what was expected; nothing is written."""
    settings = {"num_studies": 1, "seed": 0} | wrong
    with pytest.raises(ValueError, match="expected"):
        forge_head_ct(tmp_path / "no", **settings)

    assert not (tmp_path / "no").exists()


def test_a_folder_with_slices_is_kept(forged):
    """Forging into a folder that holds slices is refused."""
    with pytest.raises(FileExistsError, match="holds slices already"):
        forge_head_ct(forged, num_studies=1, seed=0)


def test_refining_keeps_nodes_and_slopes():
    """Interpolated fields hold their nodes, and a plane stays a plane."""
    rows, columns = np.mgrid[0:5, 0:4].astype(np.float32)
    fine = refine(3 * rows - 2 * columns, 4)
    expected_rows, expected_columns = np.mgrid[0:16, 0:12] / 4

    assert fine.shape == (16, 12)
    assert fine == pytest.approx(3 * expected_rows - 2 * expected_columns, abs=1e-5)
