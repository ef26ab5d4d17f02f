"""Marked pictures of other archives, for locators to learn from."""

import numpy as np
import pytest
from PIL import Image

from overread.datasets import DatasetError
from overread.datasets.lumbar_points import corrected_points, read_points
from overread.shelf import take

MODULE = take("overread.datasets", "lumbar_coordinates")
LEVELS = ("L1/L2", "L2/L3", "L3/L4", "L4/L5", "L5/S1")


def write(folder, rows: list[str]) -> None:
    """Write the table, and a grey picture of 40 x 30 px for each file that it names."""
    (folder / "coords_pretrain.csv").write_text(
        "filename,source,x,y,level,relative_x,relative_y\n" + "\n".join(rows) + "\n"
    )
    for row in rows:
        name, source = row.split(",")[:2]
        place = folder / "data" / f"processed_{source}_jpgs" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((40, 30), 90, np.uint8)).save(place)


def test_a_picture_with_all_levels_is_a_study_with_points(tmp_path) -> None:
    """Points in px, roles by source; CT and half-marked pictures are left out."""
    rows = [f"a.jpg,lsd,{10 + n},{5 * n},{level},0,0" for n, level in enumerate(LEVELS)]
    rows += [f"b.jpg,osf,3,{n},{level.lower()},0,0" for n, level in enumerate(LEVELS)]
    rows += ["c.jpg,spider,1,1,L1/L2,0,0", "d.jpg,tseg,1,1,L1/L2,0,0"]
    write(tmp_path, rows)
    dataset = MODULE.read(MODULE.Spec(), tmp_path)
    found = dataset.keypoints["discs"]["lsd-a"]

    assert {study.id: study.series[0].role for study in dataset.studies} == {
        "lsd-a": "sagittal_t2",
        "osf-b": "sagittal_t1",
    }
    assert found.names == LEVELS
    assert found.get("L2/L3").tolist() == [11, 5, 0]
    assert len(dataset.labels) == 0


def test_a_picture_that_is_absent_is_told_and_left_out(tmp_path) -> None:
    """One broken picture does not stop the others."""
    write(tmp_path, [f"a.jpg,lsd,1,1,{level},0,0" for level in LEVELS])
    (tmp_path / "data" / "processed_lsd_jpgs" / "a.jpg").unlink()
    dataset = MODULE.read(MODULE.Spec(), tmp_path)

    assert dataset.studies == ()
    assert "cannot be read" in dataset.findings[0].message


def test_an_unknown_level_is_refused(tmp_path) -> None:
    """The words name the file and what a level is."""
    write(tmp_path, ["a.jpg,lsd,1,1,T12/L1,0,0"])

    with pytest.raises(DatasetError, match=r"without level, x or y, such as a\.jpg"):
        MODULE.read(MODULE.Spec(), tmp_path)


def test_published_corrections_move_and_add_points(tmp_path) -> None:
    """One of 12 moved marks, and five points of a study that has none."""
    path = tmp_path / "points.csv"
    path.write_text(
        "study_id,series_id,instance_number,condition,level,x,y\n"
        "38281420,880361156,9,Spinal Canal Stenosis,L5/S1,1,2\n"
        "38281420,880361156,9,Spinal Canal Stenosis,L4/L5,3,4\n"
    )
    points = corrected_points(read_points(path))
    own = points.filter(study_id="38281420").select("level", "x", "y").rows()
    added = points.filter(study_id="404602713")

    assert sorted(own) == [("L4/L5", 3.0, 4.0), ("L5/S1", 188.0, 215.0)]
    assert added["level"].to_list() == list(LEVELS)
    assert added["condition"].unique().to_list() == ["spinal_canal_stenosis"]
    assert len(points) == 2 + 11 * 5
