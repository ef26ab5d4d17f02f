"""Members that read a whole study: batches, mirrors, missing labels and series, equal tables."""

import numpy as np
import polars as pl
import pytest
import torch
from test_members import labels_of
from tiny_recipe import GRADER, RUBRIC, VIEWS, bundle
from tiny_studies import LEVELS, discs, mirrored_points, study_pixels

from overread.imaging import SliceSpec, ViewSpec
from overread.inference import (
    GradeSpec,
    MemberSpec,
    as_read,
    cut_study,
    grade_study,
    load_cuts,
    member_examples,
    member_loss,
    member_network,
    predict_member,
    save_cuts,
    study_units,
)
from overread.learning import LossSpec, grading_loss

WHOLE = {
    "sagittal": ViewSpec(
        series=("sagittal_t2",),
        slices=SliceSpec(count=4, pick="nearest"),
        aspect="stretch",
        pixels=(32, 32),
        margin=1,
    ),
    "axial": ViewSpec(
        series=("axial_t2",), slices=SliceSpec(count=6), aspect="stretch", pixels=(32, 32)
    ),
    "column": ViewSpec(
        series=("sagittal_t2",),
        around="discs",
        of="study",
        slices=SliceSpec(count=3),
        size_mm=(140, 60),
        pixels=(32, 32),
    ),
}
ALL = {**VIEWS, **WHOLE}
STACK = {"use": "stack_channels", "backbone": "tiny_conv"}


def member(views=("sagittal", "axial"), mirror="average", **settings):
    """Return a member that reads studies."""
    content = {"views": views, "mirror": mirror, "model": STACK, "reads": "study", **settings}
    return MemberSpec.model_validate(content)


def cuts_of(name="7", *, sites=LEVELS, mirrored=False, sagittal=8, seed=0):
    """Return {view: crops of one study}, with these of its sites."""
    points = mirrored_points(discs()) if mirrored else discs()
    pixels = study_pixels(seed, name=name, mirrored=mirrored, sagittal=sagittal)
    units = tuple(unit for unit in study_units(RUBRIC, name) if unit[1] in sites)
    found = {"discs": points, "canal": points}
    return {view: cut_study(spec, pixels, found, units)[0] for view, spec in ALL.items()}


def read(settings, *studies, labels=None):
    """Return the examples of some studies."""
    cuts = {view: [study[view] for study in studies] for view in settings.views}
    return as_read(member_examples(settings, ALL, RUBRIC, cuts, labels))


def network(settings, seed=3):
    return member_network(settings, ALL, RUBRIC, seed=seed)


def test_a_view_of_the_study_is_cut_once_and_shown_to_every_unit(tmp_path) -> None:
    """One row of pixels on the disk; units of the study see the same, those of the site do not."""
    cuts = cuts_of()
    for name, rows in (("sagittal", 1), ("column", 1), ("side", 5)):
        save_cuts(tmp_path / name, cuts[name])
        kept = load_cuts(tmp_path / name)
        same = np.array_equal(kept.of(0).pixels, kept.of(4).pixels)

        assert (len(kept), len(kept.mask), same) == (5, rows, rows == 1)


def test_a_study_has_one_row_with_all_its_units() -> None:
    """Views of the study have one crop, views of units one each; labels lie beside them."""
    labels = labels_of([("7@L4/L5", "canal", 2)])
    batch = read(member(("sagittal", "side")), cuts_of(), labels=labels).batch([0], generator=None)

    assert batch["sagittal"].shape == (1, 4, 1, 32, 32)
    assert batch["side"].shape == (1, 5, 5, 1, 24, 32)
    assert batch["side.offsets"].shape == (1, 5, 5)
    assert batch["site"].tolist() == [[0, 1, 2, 3, 4]]
    assert batch["units.mask"].tolist() == [[True] * 5]
    assert batch["weight.canal"].tolist() == [[0.0, 0.0, 0.0, 1.0, 0.0]]
    assert batch["target.canal"][0, 3].tolist() == [0.0, 0.0, 1.0]


def test_studies_without_labels_are_not_learnt_from() -> None:
    """One label keeps a study, with all its units; none drops it."""
    labels = labels_of([("7@L4/L5", "left_foramen", 1)])
    both = cuts_of("7"), cuts_of("8")

    assert len(read(member(), *both)) == 2
    found = read(member(), *both, labels=labels)
    assert (len(found), found.units) == (1, tuple(f"7@{site}" for site in LEVELS))


def test_the_loss_is_that_of_the_labelled_units() -> None:
    """Units without a label, and units that are not there, count for nothing."""
    labels = labels_of([("7@L4/L5", "canal", 2), ("7@L1/L2", "canal", 0), ("8@L1/L2", "canal", 1)])
    few = cuts_of("8", sites=LEVELS[:2])
    batch = read(member(), cuts_of(), few, labels=labels).batch([0, 1], generator=None)
    logits = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0))
    rows = logits[[0, 0, 1], [0, 3, 0]]
    alone = {"target.canal": torch.eye(3)[[0, 2, 1]], "weight.canal": torch.ones(3)}
    spec = LossSpec(f1=0.5)

    expected = grading_loss(spec, RUBRIC)({"logits.canal": rows}, alone)["total"]
    found = grading_loss(spec, RUBRIC)({"logits.canal": logits}, batch)["total"]
    assert batch["units.mask"].sum(1).tolist() == [5, 2]
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("mirror", ["average", "shared"])
@pytest.mark.parametrize("views", [("sagittal", "axial", "column"), ("side", "top")])
def test_a_mirrored_study_gets_swapped_grades(mirror, views) -> None:
    """Whole images or crops of units: left and right change places, whatever the weights."""
    model = {**GRADER, "position": "none"} if "side" in views else STACK
    settings = member(views, mirror, model=model)
    judge = network(settings)

    here = predict_member([judge], read(settings, cuts_of()))
    there = predict_member([judge], read(settings, cuts_of(mirrored=True)))

    for name in RUBRIC.names:
        np.testing.assert_allclose(here[name], there[RUBRIC.partner(name)], atol=1e-4)
    assert np.abs(here["left_foramen"] - here["right_foramen"]).max() > 1e-4


def test_a_mirrored_study_brings_the_labels_of_the_other_side() -> None:
    """All sites of a study are mirrored together, labels and all."""
    labels = labels_of(
        [(f"7@{site}", f"{side}_foramen", grade) for site in LEVELS
         for side, grade in (("left", 0), ("right", 2))]
    )  # fmt: skip
    examples = read(member(augment={"mirror": 1.0}), cuts_of(), labels=labels)
    straight = examples.batch([0], generator=None)["target.left_foramen"]
    turned = examples.batch([0], generator=torch.Generator().manual_seed(0))["target.left_foramen"]

    assert straight.argmax(-1).tolist() == [[0] * 5]
    assert turned.argmax(-1).tolist() == [[2] * 5]


def test_unit_by_unit_says_what_a_member_of_units_says() -> None:
    """The same weights give the same answers and the same loss, however units are read."""
    labels = labels_of([(f"7@{site}", "canal", n % 3) for n, site in enumerate(LEVELS)])
    settings = member(("side", "top"), model=GRADER)
    alone = MemberSpec.model_validate({**settings.model_dump(), "reads": "unit"})
    judge, single = network(settings).eval(), network(alone).eval()
    few = cuts_of("8", sites=LEVELS[1:3], seed=4)

    together = predict_member([judge], read(settings, few, cuts_of()))
    apart = predict_member([single], read(alone, few, cuts_of()))
    for name in RUBRIC.names:
        np.testing.assert_allclose(together[name], apart[name], atol=1e-5)
    losses = []
    for spec, asked in ((settings, judge), (alone, single)):
        examples = read(spec, cuts_of(), labels=labels)
        batch = examples.batch(range(len(examples)), generator=None)
        losses.append(member_loss(spec, RUBRIC)(asked(batch), batch)["total"])
    torch.testing.assert_close(losses[0], losses[1])


def test_a_missing_series_is_masked_and_answered() -> None:
    """A study without sagittal images has no slice there, and grades all the same."""
    settings = member(("sagittal", "axial", "column"))
    examples = read(settings, cuts_of(sagittal=0), cuts_of())
    batch = examples.batch([0, 1], generator=None)
    answers = predict_member([network(settings)], examples)

    assert batch["sagittal.mask"].any(1).tolist() == [False, True]
    assert batch["column.mask"].any(1).tolist() == [False, True]
    assert {name: value.shape for name, value in answers.items()} == dict.fromkeys(
        RUBRIC.names, (10, 3)
    )
    assert all(np.isfinite(value).all() for value in answers.values())


def test_a_study_of_fewer_units_is_padded_and_its_padding_is_never_told() -> None:
    """Batches of different lengths give one row for each unit that there is."""
    settings = member(("side",), model=GRADER, batch=1)
    sizes = (LEVELS[:1], LEVELS, LEVELS[2:])
    examples = read(settings, *(cuts_of(str(n), sites=sites) for n, sites in enumerate(sizes)))
    answers = predict_member([network(settings)], examples)

    assert len(answers["canal"]) == len(examples.units) == 9
    assert examples.units[:2] == ("0@L1/L2", "1@L1/L2")


def test_whole_studies_need_units_that_are_always_the_same() -> None:
    """Views of both kinds, and units whose number differs, are refused with what to do."""
    with pytest.raises(ValueError, match="one kind at a time"):
        network(member(("sagittal", "top")))
    with pytest.raises(ValueError, match=r"loss\.level: of members that read units"):
        member(loss={"level": 0.1})
    with pytest.raises(ValueError, match="balance"):
        member(balance=("canal",))


def test_what_is_cut_once_is_pictured_once() -> None:
    """A view of the study gives one overview, not one for each unit."""
    spec = member()
    views = {name: WHOLE[name] for name in spec.views}
    kept = bundle(locators={}, views=views, members={"all": spec}, final="all")
    pictures = grade_study(kept, study_pixels(), GradeSpec(pictures=True)).pictures

    assert [(one.title, one.site, one.kind) for one in pictures] == [
        (name, None, "overview") for name in views
    ]


def test_a_bundle_says_what_the_pipeline_says() -> None:
    """Grading a study equals cutting, keeping and asking it step by step."""
    spec = member()
    kept = bundle(
        locators={}, views={n: WHOLE[n] for n in spec.views}, members={"all": spec}, final="all"
    )
    graded = grade_study(kept, study_pixels()).predictions.frame
    expected = predict_member(kept.member_networks("all"), read(spec, cuts_of()))

    for name in RUBRIC.names:
        found = graded.filter(pl.col("target") == name)["probabilities"].to_list()
        np.testing.assert_allclose(found, expected[name], atol=1e-6)
