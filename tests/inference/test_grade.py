"""Grading: complete, equal to its parts, and patient with broken studies."""

import json
import shutil
import sys

import numpy as np
import pytest
from tiny_recipe import RUBRIC, VIEWS, bundle, member
from tiny_studies import CENTRES, LEVELS, discs, study_pixels

from overread.datasets import rsna2024_lumbar
from overread.imaging import StudyPixels
from overread.inference import (
    Bundle,
    Grades,
    GradeSpec,
    StudyRefusedError,
    crop_pictures,
    cut_study,
    grade,
    grade_study,
    locator_network,
    measure_ranges,
    member_examples,
    predict_member,
    range_findings,
    study_units,
)
from overread.inference.grade import grade_each
from overread.inference.grades import answer_confidence
from overread.inference.member import member_network
from overread.phantoms import forge_lumbar
from overread.records import Finding, Keypoints, Study


@pytest.fixture(scope="module")
def tiny():
    """A bundle of two folds."""
    return bundle()


def test_every_unit_and_target_is_answered(tiny):
    """Each site has an answer to each target; probabilities sum to 1; folds are averaged."""
    graded = grade_study(tiny, study_pixels())
    frame = graded.predictions.frame

    assert len(frame) == 15
    assert {"new"} == set(frame["role"])
    np.testing.assert_allclose(1, [sum(row) for row in frame["probabilities"]], atol=1e-9)


def test_grading_is_the_sum_of_its_parts(tiny):
    """With the networks of one fold the answers are those of locate, cut and predict, in turn."""
    pixels = study_pixels()
    graded = grade_study(tiny, pixels, fold=1)
    units = study_units(RUBRIC, "7")
    cuts = {
        name: [cut_study(view, pixels, graded.keypoints, units)[0]] for name, view in VIEWS.items()
    }

    parts = predict_member(
        [tiny.member_networks("wide", 1)[0]], member_examples(member(), VIEWS, RUBRIC, cuts)
    )

    assert {1} == set(graded.predictions.frame["fold"])
    for name in RUBRIC.names:
        units_found, values = graded.predictions.array(name)
        order = np.argsort([unit for unit, _ in units])
        assert [units[index][0] for index in order] == units_found
        np.testing.assert_allclose(parts[name][order], values, atol=1e-6)


def test_ensembles_are_joined():
    """The final predictor may be an ensemble of ensembles."""
    ensembles = {
        "both": {"use": "mean", "of": ["wide", "sided"]},
        "top": {"use": "mean", "of": ["both", "wide"]},
    }
    parts = {
        name: grade_study(bundle(final=name), study_pixels()).predictions.array("canal")[1]
        for name in ("wide", "sided")
    }

    whole = grade_study(bundle(ensembles=ensembles, final="top"), study_pixels())

    expected = 0.75 * parts["wide"] + 0.25 * parts["sided"]
    np.testing.assert_allclose(expected, whole.predictions.array("canal")[1], atol=1e-6)


def test_ensemble_of_itself_is_refused():
    """An ensemble that joins itself is told, not followed."""
    ensembles = {"loop": {"use": "mean", "of": ["loop"]}}

    with pytest.raises(ValueError, match="loop joins loop"):
        grade_study(bundle(ensembles=ensembles, final="loop"), study_pixels())


def test_json_holds_the_evidence(tiny):
    """The JSON names slices, planes, points and the bundle, and no file."""
    graded = grade_study(tiny, study_pixels())
    content = json.loads(json.dumps(Grades(RUBRIC, "abc", "tiny", (graded,)).to_json()))
    unit = content["studies"][0]["units"][0]
    answer = unit["targets"]["canal"]
    seen = {view["view"]: view["slices"] for view in unit["views"]}

    assert (
        content["bundle"],
        content["studies"][0]["status"],
        content["studies"][0]["study_uid"],
    ) == ("abc", "graded", "1.2.7")
    assert answer["grade"] == max(answer["probabilities"], key=answer["probabilities"].get)
    assert seen["side"][0]["sop_instance_uid"].startswith("1.2.1.")
    assert len(seen["side"][0]["plane"]["origin_mm"]) == 3
    assert set(LEVELS) == set(content["studies"][0]["keypoints"]["discs"])
    assert ".dcm" not in json.dumps(content)


def test_frame_has_a_row_for_each_answer(tiny):
    """The table has grades, probabilities by grade, and the bundle."""
    graded = grade_study(tiny, study_pixels())
    frame = Grades(RUBRIC, "abc", "tiny", (graded,)).to_frame()

    assert len(frame) == 15
    np.testing.assert_allclose(
        1, frame.select("p:normal", "p:moderate", "p:severe").sum_horizontal(), atol=1e-9
    )
    assert {"abc"} == set(frame["bundle"])
    assert len(Grades(RUBRIC, "abc", "tiny", ()).to_frame()) == 0


def test_confidence_is_relative_to_uniform():
    """A certain answer has confidence 1, a uniform one 0."""
    assert answer_confidence([0.0, 1.0, 0.0]) == 1.0
    assert answer_confidence([1 / 3] * 3) == pytest.approx(0, abs=1e-12)


def test_pictures_are_optional(tiny):
    """With pictures there is an overview with the points on it, and crops of the sites."""
    none = grade_study(tiny, study_pixels()).pictures
    some = grade_study(tiny, study_pixels(), GradeSpec(pictures=True)).pictures
    overview = next(picture for picture in some if picture.kind == "overview")

    assert none == ()
    assert tuple(mark.name for mark in overview.marks) == LEVELS
    assert all(0 <= mark.x < overview.image.shape[1] for mark in overview.marks)
    assert set(LEVELS) >= {picture.site for picture in some if picture.kind == "crop"} - {None}


def test_unseen_units_get_no_grade(tiny, monkeypatch):
    """A site of which nothing was seen is left out and told, unless an answer is asked for."""
    upper = Keypoints.of({name: CENTRES[name] for name in LEVELS[:3]})
    module = sys.modules["overread.inference.grade"]
    monkeypatch.setattr(module, "locate", lambda *_, **__: upper)

    honest = grade_study(tiny, study_pixels())
    complete = grade_study(tiny, study_pixels(), GradeSpec(unseen="answer"))

    assert set(honest.predictions.frame["site"]) == set(LEVELS[:3])
    assert set(complete.predictions.frame["site"]) == set(LEVELS)
    told = [one for one in honest.findings if one.code == "unit_unseen"]
    assert told[0].message == "nothing was seen of L4/L5, L5/S1"


def test_required_series_are_required(tiny):
    """A study without a required series is refused, with what was found."""
    spec = GradeSpec(required=("sagittal_t1",))

    with pytest.raises(StudyRefusedError, match="expected also sagittal_t1"):
        grade_study(tiny, study_pixels(), spec)


def test_study_that_cannot_be_located_is_refused(tiny):
    """Without the series that shows the points there is nothing to cut around."""
    with pytest.raises(StudyRefusedError, match="cannot be located: canal found 0 of 5"):
        grade_study(tiny, study_pixels(sagittal=0))


def test_study_without_series_is_refused(tiny):
    """A study whose series have no known role is refused."""
    empty = StudyPixels(Study("9", "1.2.9", "p"), ())

    with pytest.raises(StudyRefusedError, match="found series of role none"):
        grade_study(tiny, empty)


def test_what_was_set_aside_stands_in_the_refusal(tiny):
    """A study whose files were set aside is refused with the reason of each, up to three."""
    bare = Study("9", "1.2.9", "p")
    findings = tuple(
        Finding("file_broken", "refuse", f"file {index} is torn", study=bare.id)
        for index in range(5)
    )

    graded = grade_each(tiny, bare, GradeSpec(), findings)

    assert graded.refused is not None
    assert graded.refused.endswith("file 0 is torn; file 1 is torn; file 2 is torn; and 2 more")


def test_out_of_range_is_told():
    """A study with pixels or slices unlike the training data is told as such."""
    ranges = measure_ranges([study_pixels().study])
    same = range_findings(study_pixels().study, ranges)
    ranges["sagittal_t2"]["pixel_mm"] = [0.3, 0.9]
    other = range_findings(study_pixels().study, ranges)

    assert same == ()
    assert [one.code for one in other] == ["out_of_range"]
    assert "pixel spacing is 1.5 mm" in other[0].message


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """Two forged studies; the files of one are cut short."""
    folder = tmp_path_factory.mktemp("archive")
    forge_lumbar(folder, num_studies=2, seed=5)
    studies = sorted((folder / "train_images").iterdir())
    for path in studies[1].rglob("*.dcm"):
        path.write_bytes(path.read_bytes()[:900])
    return folder / "train_images", studies


@pytest.fixture(scope="module")
def lumbar():
    """A bundle for the forged studies' rubric."""
    whole = bundle(folds=1)
    rubric = rsna2024_lumbar.rubric(rsna2024_lumbar.Spec())
    networks = {
        name: {0: member_network(spec, VIEWS, rubric, seed=0).state_dict()}
        for name, spec in whole.recipe.members.items()
    }
    locators = {
        name: {0: locator_network(spec, seed=0).state_dict()}
        for name, spec in whole.recipe.locators.items()
    }
    return Bundle(whole.recipe, rubric, locators, networks)


def test_batch_goes_on_after_a_broken_study(lumbar, archive):
    """Broken files are told, the other studies are graded, progress is reported."""
    folder, studies = archive
    told = []

    grades = grade(lumbar, folder, on_progress=lambda *step: told.append(step))

    graded = {one.study for one in grades.studies if one.refused is None}
    assert {studies[0].name} == graded
    assert grades.findings or any(one.refused for one in grades.studies)
    assert ("grade", len(grades.studies), len(grades.studies)) == told[-1]
    assert len(grades.to_frame()) == sum(len(one.predictions) for one in grades.studies) > 0


def test_one_study_is_graded_as_in_its_batch(lumbar, archive, tmp_path):
    """A study on its own, renamed and flattened into one folder, gets the same answers."""
    folder, studies = archive
    flat = tmp_path / "inbox"
    flat.mkdir()
    for number, path in enumerate(sorted(studies[0].rglob("*.dcm"), reverse=True)):
        shutil.copy(path, flat / f"IM{number:04d}")

    alone = grade(lumbar, flat).studies[0]
    batch = next(one for one in grade(lumbar, folder).studies if one.study == studies[0].name)

    assert alone.study_uid == batch.study_uid
    target = lumbar.rubric.names[0]
    np.testing.assert_allclose(
        batch.predictions.array(target)[1], alone.predictions.array(target)[1], atol=1e-6
    )


def test_nothing_at_the_path(lumbar, tmp_path):
    """A path without anything is an error of the caller."""
    with pytest.raises(FileNotFoundError, match="found nothing there"):
        grade(lumbar, tmp_path / "absent")


def test_crops_on_disk_become_pictures():
    """What the networks saw of a unit can be shown again from the stored crops."""
    points = {"discs": discs(), "canal": discs()}
    units = study_units(RUBRIC, "7")
    cuts = {name: cut_study(view, study_pixels(), points, units)[0] for name, view in VIEWS.items()}

    pictures = crop_pictures(VIEWS, cuts, "7@L4/L5")

    assert [picture.title for picture in pictures] == ["side", "top"]
    assert [VIEWS["side"].pixels, VIEWS["top"].pixels] == [one.image.shape for one in pictures]
    assert all(int(np.ptp(picture.image)) > 50 for picture in pictures)
