"""What every dataset of the shelf keeps."""

import inspect
import re
from functools import partial

import numpy as np
import polars as pl
import pytest

from overread.datasets import DatasetError, NotForgeableError
from overread.imaging import scan_slices
from overread.records import Predictions, Rubric
from overread.shelf import Spec, names_on_shelf, take

DATASETS = names_on_shelf("overread.datasets")
WITHOUT_PHANTOMS = {"lumbar_coordinates", "spider"}


def random_predictions(rubric):
    """Predictions of three studies at every site."""
    rng = np.random.default_rng(0)
    rows = [
        {
            "unit": rubric.unit_id(study, site),
            "study": study,
            "subject": study,
            "site": site,
            "target": target.name,
            "probabilities": rng.dirichlet(np.ones(len(target.grades))).tolist(),
            "fold": None,
            "predictor": "ours",
            "role": "oof",
        }
        for study in ("11", "12", "3")
        for site in rubric.sites or (None,)
        for target in rubric.targets
    ]
    return Predictions(pl.DataFrame(rows, schema=Predictions.schema))


def units_of(rubric, studies):
    """The units that studies have, and the names of all places."""
    if rubric.unit == "slice":
        slices = scan_slices(studies)
        return set(slices["unit"]), set(slices["site"])
    places = rubric.sites or (None,)
    return {rubric.unit_id(study.id, site) for study in studies for site in places}, set(places)


def test_there_are_datasets():
    """The shelf is not empty."""
    assert {"rsna2024_lumbar", "spider"} <= set(DATASETS)


@pytest.mark.parametrize("name", DATASETS)
def test_tells_source_and_licence(name):
    """The docstring says where the data come from, under which licence, and how they lie."""
    words = take("overread.datasets", name).__doc__

    assert re.search(r"https?://|doi\.org", words)
    assert re.search(r"licence|CC BY", words, re.IGNORECASE)
    assert "/" in words.split("layout", 1)[-1].lower()


@pytest.mark.parametrize("name", DATASETS)
def test_works_with_its_defaults(name):
    """The Spec needs nothing, refuses unknown keys, and gives a rubric."""
    module = take("overread.datasets", name)
    rubric = module.rubric(module.Spec())

    assert issubclass(module.Spec, Spec)
    assert isinstance(rubric, Rubric)
    assert all(rubric.partner(rubric.partner(one)) == one for one in rubric.names)
    with pytest.raises(ValueError, match="extra"):
        module.Spec.model_validate({"nonsense": 1})


@pytest.mark.parametrize("name", DATASETS)
@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ("rubric", ["spec"]),
        ("read", ["spec", "folder", "on_progress"]),
        ("open_studies", ["spec", "path", "on_progress"]),
        ("read_labels", ["spec", "path"]),
        ("read_submission", ["spec", "frame", "predictor"]),
        ("sites", ["rubric", "study"]),
        ("forge", ["folder", "studies", "seed", "style", "on_progress"]),
    ],
)
def test_has_what_a_dataset_has(name, function, expected):
    """Every dataset offers the same functions, with the same arguments."""
    found = inspect.signature(getattr(take("overread.datasets", name), function)).parameters
    more = set(found) - set(expected)

    assert expected == [one for one in found if one in expected]
    assert inspect.Parameter.empty not in {found[one].default for one in more}


@pytest.mark.parametrize("name", DATASETS)
def test_a_missing_or_empty_folder_is_told_in_one_line(name, tmp_path):
    """The error names the folder, what was found, what was expected, and what to do."""
    module = take("overread.datasets", name)
    for folder in (tmp_path / "absent", tmp_path):
        with pytest.raises(DatasetError) as told:
            module.read(module.Spec(), folder)
        words = str(told.value)

        assert str(folder) in words
        assert "\n" not in words
        assert "found" in words
        assert "expected" in words
        assert ";" in words


@pytest.mark.parametrize("name", DATASETS)
@pytest.mark.parametrize("kind", ["table", "csv", "parquet"])
def test_submissions_go_to_and_fro(name, kind, tmp_path):
    """Predictions that are written, as a file or not, read back as they were."""
    module = take("overread.datasets", name)
    spec, rubric = module.Spec(), module.rubric(module.Spec())
    expected = random_predictions(rubric)
    table = module.submission(spec, expected)
    if kind == "csv":
        table.write_csv(tmp_path / "ours.csv")
    if kind == "parquet":
        table.write_parquet(tmp_path / "ours.parquet")
    found = module.read_submission(
        spec, table if kind == "table" else tmp_path / f"ours.{kind}", "ours"
    )

    for target in rubric.names:
        units, chances = expected.array(target)
        assert units == found.array(target)[0]
        assert chances.ravel().tolist() == pytest.approx(found.array(target)[1].ravel().tolist())


@pytest.mark.parametrize("name", DATASETS)
def test_forges_or_says_that_it_cannot(name, tmp_path):
    """A forged folder reads as this dataset with labels of every target; or the words say why."""
    module = take("overread.datasets", name)
    forge = partial(module.forge, tmp_path / "forged", studies=1, seed=3, style="clean")
    if name in WITHOUT_PHANTOMS:
        with pytest.raises(NotForgeableError, match=name):
            forge()
        return
    forge()
    dataset = module.read(module.Spec(), tmp_path / "forged")
    rubric = module.rubric(module.Spec())
    units, places = units_of(rubric, dataset.studies)

    assert len(dataset.subjects) == 1
    assert set(rubric.names) == set(dataset.labels.frame["target"])
    assert units == set(dataset.labels.frame["unit"])
    assert all(dataset.keypoints.values())
    assert set(module.sites(rubric, dataset.studies[0])) <= places
