"""Locators: how inputs are chosen, and that what they learn is what they are asked."""

from functools import partial

import numpy as np
import pytest
import torch
from test_locate import AXIAL, SAGITTAL, Oracle
from tiny_recipe import HEAT
from tiny_studies import CENTRES, LEVELS, discs, study_pixels

from overread.imaging import StudyPixels
from overread.inference import (
    LocatorSpec,
    locate,
    locator_examples,
    locator_images,
    locator_loss,
    locator_network,
)
from overread.inference.locator import order_locators
from overread.inference.locator_networks import maps_of
from overread.learning import FitSpec, fit
from overread.models import ImageNetwork
from overread.records import Keypoints, RecordError, Series, Stack, Study, Volume


def with_second_series(role="sagittal_t1", *, shift=0.0):
    """Return the study with one more sagittal series, moved by some mm to the head."""
    pixels = study_pixels()
    series, volume = pixels.study.series[0], pixels.volumes[0]
    planes = type(volume.planes)(
        volume.planes.origin + np.array([0, 0, shift]),
        volume.planes.row,
        volume.planes.column,
        volume.planes.spacing,
        volume.planes.size,
    )
    stack = Stack(series.stacks[0].frames, planes, role)
    other = Series("9", "1.2.9", (stack,), role)
    study = Study("7", "1.2.7", "p", (*pixels.study.series, other))
    return StudyPixels(study, (*pixels.volumes, Volume(volume.array, planes)))


BOTH = SAGITTAL.model_copy(update={"series": ("sagittal_t1", "sagittal_t2")})


def test_preferred_role_comes_first():
    """Of several roles the first that the study has is looked at."""
    inputs = locator_images(BOTH, with_second_series(shift=11.0), {})

    assert set(inputs.groups) == {"9"}
    assert set(locator_images(BOTH, study_pixels(), {}).groups) == {"1"}


def test_all_series_can_be_looked_at():
    """With `take: all` every series of the roles is an input of its own."""
    every = BOTH.model_copy(update={"take": "all"})

    assert locator_images(every, with_second_series(), {}).groups == ("9", "9", "1", "1")


def test_all_series_are_learnt_from():
    """Training uses every series by default, or the one that is looked at."""
    data = [(with_second_series(), {}, discs())]
    first = BOTH.model_copy(update={"learn": "first"})

    assert len(locator_examples(BOTH, data)) == 4
    assert len(locator_examples(first, data)) == 2


def test_points_of_series_meet_in_millimetres():
    """Two series of different places, each with its own pixels, are joined in the world."""
    every = BOTH.model_copy(update={"take": "all"})
    pixels = with_second_series(shift=4.0)
    inputs = locator_images(every, pixels, {})
    places, _ = inputs.planes.to_pixels(np.zeros(5, np.int64), discs().points)

    found = locate([Oracle(torch.from_numpy(places).float())], every, pixels, {})

    # The oracle shows the same pixels in both, so the T2 series answers 4 mm lower.
    np.testing.assert_allclose(discs().points - [0, 0, 2.0], found.points, atol=0.1)


def test_largest_stack_of_a_series_is_looked_at():
    """Of a series with a scout and the real stack, the one with most slices counts."""
    pixels = study_pixels()
    series, volume = pixels.study.series[0], pixels.volumes[0]
    scout = Stack(series.stacks[0].frames[:1], volume.planes.take([0]), "sagittal_t2")
    both = Series("1", "1.2.1", (scout, *series.stacks), "sagittal_t2")
    study = StudyPixels(
        Study("7", "1.2.7", "p", (both,)),
        (Volume(volume.array[:1], volume.planes.take([0])), volume),
    )

    assert locator_images(SAGITTAL, study, {}).planes.origin[:, 0].tolist() == [-2.0, 2.0]


def test_neighbours_are_channels():
    """Slices on either side are further channels; at the end of the stack the last repeats."""
    spec = SAGITTAL.model_copy(update={"neighbours": 4})
    plain = locator_images(SAGITTAL, study_pixels(sagittal=7), {}).images
    wide = locator_images(spec, study_pixels(sagittal=7), {}).images

    assert wide.shape == (1, 9, 64, 64)
    np.testing.assert_array_equal(plain[0, 0], wide[0, 4])
    np.testing.assert_array_equal(wide[0, 0], wide[0, 1])


def test_several_slices_of_a_level():
    """With `nearest` more slices of a level are looked at, and their points averaged."""
    spec = AXIAL.model_copy(update={"nearest": 3})
    inputs = locator_images(spec, study_pixels(), {"discs": discs()})

    assert inputs.groups == tuple(name for name in LEVELS for _ in range(3))
    heights = inputs.planes.origin[:, 2].reshape(5, 3)
    assert (np.abs(heights - discs().points[:, 2:]) <= 7.5).all()


def test_levels_without_slices_are_not_found():
    """A level that no axial slice crosses has no input and no point."""
    lower = Keypoints.of({name: (x, y, z - 200) for name, (x, y, z) in CENTRES.items()})
    inputs = locator_images(AXIAL, study_pixels(), {"discs": lower})

    assert inputs.groups == ()


def test_training_on_axial_slices_asks_for_one_map():
    """Each level is an example of the same question."""
    truth = Keypoints.of({"L1/L2": CENTRES["L1/L2"], "L4/L5": CENTRES["L4/L5"]})
    examples = locator_examples(AXIAL, [(study_pixels(), {"discs": discs()}, truth)])

    assert len(examples) == 2
    assert examples.points_px.shape == (2, 1, 2)
    assert examples.studies == ("7", "7")


def test_studies_without_truth_or_series_are_left_out():
    """Nothing is learnt from a study without true points, or without the series."""
    nothing = Keypoints.of({})
    data = [(study_pixels(), {}, nothing), (study_pixels(sagittal=0), {}, discs())]
    examples = locator_examples(SAGITTAL, data)

    assert len(examples) == 0
    assert examples.images.shape == (0, 1, 64, 64)


def test_augmentation_moves_points_with_the_image():
    """A shifted training image has its points shifted by as much."""
    spec = LocatorSpec(
        series=("sagittal_t2",),
        points=LEVELS,
        pixels=(64, 64),
        model=HEAT,
        augment={"shift": 0.2, "place_p": 1.0},
    )
    examples = locator_examples(spec, [(study_pixels(), {}, discs())])
    still = examples.batch([0], generator=None)["points"]

    moved = examples.batch([0], generator=torch.Generator().manual_seed(2))["points"]
    shift = (moved - still)[0]

    np.testing.assert_allclose(shift.numpy(), np.tile(shift[0].numpy(), (5, 1)), atol=1e-3)
    assert 0 < float(shift.abs().max()) <= 0.2 * 64 + 1e-3


def test_a_few_steps_of_training_lower_the_loss(tmp_path):
    """Examples, loss and loop fit together."""
    examples = locator_examples(SAGITTAL, [(study_pixels(), {}, discs())])
    network = locator_network(SAGITTAL, seed=0)
    batch = examples.batch([0, 1], generator=None)
    settings = FitSpec(epochs=25, batch=2, lr=0.01, workers=0, device="cpu", schedule="constant")
    loss = partial(locator_loss, SAGITTAL)

    before = loss(network(batch["image"]), batch)["total"].item()
    fit(network, examples, settings, loss=loss, seed=0, folder=tmp_path, on_progress=None)

    assert loss(network(batch["image"]), batch)["total"].item() < 0.5 * before


def test_networks_are_averaged_as_probabilities():
    """Two networks that disagree evenly leave less confidence than one."""
    pixels = study_pixels(sagittal=7)
    inputs = locator_images(SAGITTAL, pixels, {})
    places, _ = inputs.planes.to_pixels(np.zeros(5, np.int64), discs().points)
    right = Oracle(torch.from_numpy(places).float())
    wrong = Oracle(torch.from_numpy(places).float() + torch.tensor([22.0, 0.0]))

    sure = locate([right, right], SAGITTAL, pixels, {})
    unsure = locate([right, wrong], SAGITTAL, pixels, {})

    assert sure.confidence.min() > 0.9
    assert unsure.confidence.max() < 0.5


def test_networks_answer_maps_or_named_maps():
    """A tensor is the maps; among several answers they are called maps."""
    maps = torch.zeros(1, 2, 3, 3)

    assert maps_of(maps) is maps
    assert maps_of({"maps": maps, "class.over": torch.zeros(1, 2)}) is maps


def test_network_fits_the_settings():
    """One map a point, or one for all with `around`; as many channels as slices."""
    wide = locator_network(SAGITTAL.model_copy(update={"neighbours": 1}), seed=0)
    single = locator_network(AXIAL, seed=0)

    assert isinstance(wide, ImageNetwork)
    assert wide(torch.zeros(1, 3, 64, 64)).shape[1] == 5
    assert single(torch.zeros(1, 1, 64, 64)).shape[1] == 1


def test_locators_that_wait_for_each_other_are_refused():
    """A circle of `around` is told, with who waits for whom."""
    first = AXIAL.model_copy(update={"around": "b"})
    second = AXIAL.model_copy(update={"around": "a"})

    with pytest.raises(RecordError, match=r"'a': \['b'\], 'b': \['a'\]"):
        order_locators({"a": first, "b": second})
