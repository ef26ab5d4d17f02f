"""Points found in a study: exact geometry, symmetry, and patience with missing series."""

import numpy as np
import pytest
import torch
from tiny_studies import LEVELS, discs, mirrored_points, study_pixels
from torch import Tensor

from overread.imaging import pixels_to_cells, render_heatmaps
from overread.inference import (
    LocatorSpec,
    locate,
    location_findings,
    locator_examples,
    locator_images,
    locator_loss,
    locator_network,
    order_locators,
    trusted_points,
)
from overread.models import ImageNetwork
from overread.records import Keypoints, RecordError

TINY = {"use": "heatmap", "backbone": "tiny_conv", "levels": (0, 1), "neck": 8, "hidden": 8}
SAGITTAL = LocatorSpec(series=("sagittal_t2",), points=LEVELS, pixels=(64, 64), model=TINY)
AXIAL = LocatorSpec(
    series=("axial_t2",), points=LEVELS, around="discs", pixels=(64, 64), model=TINY
)


class Oracle(ImageNetwork):
    """A network that knows where the points are on its input."""

    def __init__(self, points_px: Tensor) -> None:
        super().__init__()
        self.points = torch.nn.Parameter(points_px)

    def forward(self, images: Tensor) -> Tensor:
        """Return sure maps of stride 2, the same for all images."""
        rows, columns = images.shape[-2] // 2, images.shape[-1] // 2
        cells = pixels_to_cells(self.points, 2)
        maps = render_heatmaps(cells, (rows, columns), radius=6).clamp(1e-4, 1 - 1e-4)
        return maps.logit().expand(len(images), *maps.shape)


@pytest.mark.parametrize("count", [7, 8])
def test_points_come_back_to_the_millimetre(count):
    """What a network sees at a pixel is lifted to the world point that lies there."""
    pixels = study_pixels(sagittal=count)
    inputs = locator_images(SAGITTAL, pixels, {})
    places, _ = inputs.planes.to_pixels(np.zeros(5, np.int64), discs().points)

    found = locate([Oracle(torch.from_numpy(places).float())], SAGITTAL, pixels, {})

    assert found.names == LEVELS
    np.testing.assert_allclose(discs().points, found.points, atol=0.05)
    assert found.source == "network"


def test_middle_slices_are_symmetric():
    """An odd number of slices gives the middle one, an even number both that share the middle."""
    odd = locator_images(SAGITTAL, study_pixels(sagittal=7), {})
    even = locator_images(SAGITTAL, study_pixels(sagittal=8), {})

    assert odd.planes.origin[:, 0].tolist() == [0.0]
    assert even.planes.origin[:, 0].tolist() == [-2.0, 2.0]


@pytest.mark.parametrize("spec", [SAGITTAL, AXIAL], ids=["sagittal", "axial"])
def test_mirrored_study_gives_mirrored_points(spec):
    """Left and right exchanged in the study are exchanged in the points, and nothing else."""
    network = locator_network(spec, seed=3)

    here = locate([network], spec, study_pixels(), {"discs": discs()})
    there = locate(
        [network], spec, study_pixels(mirrored=True), {"discs": mirrored_points(discs())}
    )

    assert here.names == there.names == LEVELS
    np.testing.assert_allclose(mirrored_points(here).points, there.points, atol=1e-2)
    np.testing.assert_allclose(here.confidence, there.confidence, atol=1e-4)


def test_axial_slices_are_those_of_the_level():
    """With `around`, each point gets the slice of its level that lies nearest to it."""
    inputs = locator_images(AXIAL, study_pixels(), {"discs": discs()})

    assert inputs.groups == LEVELS
    assert (np.abs(inputs.planes.origin[:, 2] - discs().points[:, 2]) <= 2.5).all()


def test_centred_input_has_the_point_in_its_middle():
    """With `centred`, the other locator's point lies in the middle of the input."""
    spec = AXIAL.model_copy(update={"centred": True, "size_mm": (60.0, 60.0)})
    inputs = locator_images(spec, study_pixels(), {"discs": discs()})

    places, _ = inputs.planes.to_pixels(np.arange(5), discs().points)

    np.testing.assert_allclose(places, 31.5, atol=1e-9)


@pytest.mark.parametrize("spec", [SAGITTAL, AXIAL], ids=["sagittal", "axial"])
def test_missing_series_gives_no_points(spec):
    """A study without the series, or without points to look around, gives none, and no error."""
    lacking = spec.model_copy(update={"series": ("sagittal_t1",)})
    network = locator_network(spec, seed=0)

    assert locate([network], lacking, study_pixels(sagittal=0), {}).names == ()
    assert locate([network], AXIAL, study_pixels(), {}).names == ()


def test_findings_name_what_is_missing():
    """People are told which series or points are missing, and which are doubtful."""
    pixels = study_pixels()
    none = Keypoints.of({})
    unsure = Keypoints(LEVELS[:4], discs().points[:4], np.array([0.9, 0.9, 0.9, 0.2]))
    lacking = SAGITTAL.model_copy(update={"series": ("sagittal_t1",)})

    codes = [one.code for one in location_findings("discs", SAGITTAL, pixels, unsure)]
    missing = location_findings("discs", lacking, pixels, none)

    assert codes == ["points_missing", "points_doubtful"]
    assert "sagittal_t1" in missing[0].message


def test_locator_learns_on_what_it_will_see():
    """Training inputs are the inputs of serving, with the true points on them."""
    pixels = study_pixels()
    examples = locator_examples(SAGITTAL, [(pixels, {}, discs())])
    inputs = locator_images(SAGITTAL, pixels, {})

    batch = examples.batch([0, 1], generator=None)

    np.testing.assert_allclose(inputs.images * 2 - 1, batch["image"].numpy(), atol=2e-3)
    places, _ = inputs.planes.to_pixels(np.zeros(5, np.int64), discs().points)
    np.testing.assert_allclose(places, batch["points"][0].numpy(), atol=1e-3)


def test_unknown_points_teach_nothing():
    """A map whose point is unknown gets no gradient; with `absent: empty` it must stay empty."""
    some = discs().ordered(LEVELS[:2])
    gradients = {}
    for absent in ("unknown", "empty"):
        spec = SAGITTAL.model_copy(update={"absent": absent})
        examples = locator_examples(spec, [(study_pixels(), {}, some)])
        batch = examples.batch([0], generator=torch.Generator().manual_seed(1))
        logits = torch.zeros((1, 5, 32, 32), requires_grad=True)
        locator_loss(spec, logits, batch)["total"].backward()
        gradients[absent] = logits.grad.abs().sum((0, 2, 3)) > 0

    assert gradients["unknown"].tolist() == [True, True, False, False, False]
    assert gradients["empty"].tolist() == [True] * 5


def test_oracle_has_less_loss_than_chance():
    """The loss prefers the network that knows the points."""
    examples = locator_examples(SAGITTAL, [(study_pixels(), {}, discs())])
    batch = examples.batch([0], generator=None)
    oracle = Oracle(batch["points"][0])

    right = locator_loss(SAGITTAL, oracle(batch["image"]), batch)["total"]
    wrong = locator_loss(SAGITTAL, Oracle(batch["points"][0] + 9)(batch["image"]), batch)["total"]

    assert right.item() < wrong.item() / 2


def test_only_whole_sure_chains_are_trusted():
    """A study joins the next generation if all its points are there and sure; truth always does."""
    sure = Keypoints(LEVELS, discs().points, np.full(5, 0.9), "network")
    doubtful = Keypoints(LEVELS, discs().points, np.array([0.9, 0.9, 0.1, 0.9, 0.9]), "network")
    partial = sure.ordered(LEVELS[:3])

    found = {"a": sure, "b": doubtful, "c": partial, "d": sure}
    trusted = trusted_points(SAGITTAL, found, {"d": discs()})

    assert {n: points.source for n, points in trusted.items()} == {"a": "network", "d": "truth"}


def test_locators_are_ordered_by_need():
    """A locator comes after the one it looks around; unknown ones are refused."""
    assert order_locators({"canal": AXIAL, "discs": SAGITTAL}) == ["discs", "canal"]
    with pytest.raises(RecordError, match="wait for unknown"):
        order_locators({"canal": AXIAL})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"points": ()}, "a point"),
        ({"points": ("a", "a")}, "unique"),
        ({"centred": True}, "around"),
    ],
)
def test_wrong_settings_are_refused(changes, words):
    """Settings that contradict each other are told by name."""
    settings = {"series": ("sagittal_t2",), "points": LEVELS, "model": TINY}

    with pytest.raises(ValueError, match=words):
        LocatorSpec(**(settings | changes))
