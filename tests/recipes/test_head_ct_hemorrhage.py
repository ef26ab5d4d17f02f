"""The published head CT system as a recipe: its experiments, its blend, and two of its faults."""

import numpy as np
import pytest
from numpy.typing import NDArray

from overread.imaging.windows import WINDOWS, stretch
from overread.inference.importing.head_ct_settings import EXPERIMENTS
from overread.pipeline import Recipe, build_graph, read_recipe, shipped_recipes

Floats = NDArray[np.float64]
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
FILES = {"pixels": {"files": 1, "bytes": 1, "digest": "0"}}
# As the table of the published system has them: offsets or means of the second and third channel.
CHANNELS = {
    "exp16": ((-1,), (1,)),
    "exp19": ((-2,), (2,)),
    "exp21": ((-1,), (-2,)),
    "exp22": ((1,), (2,)),
    "exp25": ((-1, -2, -3), (1, 2, 3)),
    "exp26": ("all", (-1, 1)),
    "exp27": ((-1, -2, -3, -4, -5), (1, 2, 3, 4, 5)),
}


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    """As it ships."""
    return read_recipe(shipped_recipes()["head_ct_hemorrhage"])


def test_seventeen_experiments_with_their_differences(recipe: Recipe) -> None:
    """Each sees the slices of the published table; nets, labels, offsets and epochs as there."""
    members = recipe.networks
    numbers = (7, 10, 16, 17, 18, 19, 21, 22, 23, 24, 25, 26, 27, 28, 32, 34, 36)

    assert list(members) == [f"exp{number}" for number in numbers]
    for name, others in CHANNELS.items():
        assert recipe.views[members[name].views[0]].channels == ((0,), *others)
    assert members["exp28"].model.settings["backbone"] == "legacy_seresnext101_32x4d"
    assert recipe.views[members["exp28"].views[0]].pixels == (462, 462)
    assert {name for name, one in members.items() if one.labels != "truth"} == {"exp17"}
    assert (members["exp34"].offsets, members["exp36"].offsets) == ((0, -1, 1), (0, -2, 2))
    assert members["exp36"].fit.epochs == 3
    assert {one.flip for one in members.values()} == {one.views for one in members.values()}


def test_published_weights(recipe: Recipe) -> None:
    """The nine of the stack weigh 0.8; all networks 1 less exp13, which is not published."""
    nine = recipe.ensembles["nine"].settings["weights"]
    every = recipe.ensembles["networks"].settings["weights"]
    imported = {one.name: (one.stack, one.blend) for one in EXPERIMENTS}

    assert sum(nine.values()) == pytest.approx(0.8)
    assert sum(every.values()) == pytest.approx(0.95)
    for name, (stack, blend) in imported.items():
        assert (nine.get(name, 0), every[name]) == (stack, blend)
    assert set(recipe.ensembles["stack"].of) == set(nine)


def test_external_scans_are_labelled_fold_by_fold(recipe: Recipe) -> None:
    """What exp17 learns for fold k comes from exp7 of fold k, and from no other network."""
    graph = build_graph(recipe, FILES)
    for fold, step in graph.fits["exp17"].items():
        [taught] = [
            one for role, one in step.inputs["labels"].inputs.items() if role.startswith("pred")
        ]

        assert taught.inputs["network"].id == graph.fits["exp7"][fold].id
        assert taught.inputs["read"].name == step.inputs["also.cq500.read"].name == "cq500"
        assert step.inputs["also.cq500.view.alone"].id == taught.inputs["view.alone"].id
    assert not any(role.startswith("also") for role in graph.fits["exp16"][0].inputs)


def test_folds_of_rows_are_told(recipe: Recipe) -> None:
    """The report says which ensemble is fitted with folds of rows."""
    graph = build_graph(recipe, FILES)
    [told] = graph.report.settings["caveats"]

    assert "stack_as_published is fitted with folds of single units" in told
    assert graph.predictors["stack_as_published"].settings["split"] == "units"
    assert "split" not in graph.predictors["stack"].settings


def head(seed: int = 0) -> NDArray[np.int16]:
    """A slice in HU: air, a ring of bone, grey and white matter, and a clot."""
    y, x = np.mgrid[-1:1:96j, -1:1:96j]
    radius = np.hypot(x, y)
    brain = (
        32 + 8 * np.sin(9 * x) * np.cos(7 * y) + np.random.default_rng(seed).normal(0, 3, x.shape)
    )
    hu = np.where(radius < 0.8, np.where(radius > 0.7, 900, brain), -1000)
    return np.where(np.hypot(x - 0.3, y) < 0.15, 66, hu).astype(np.int16)


def windowed(hu: NDArray[np.int16], name: str) -> Floats:
    """One window of ours, 0 to 1."""
    centre, width = WINDOWS[name]
    return stretch(hu, centre - width / 2, centre + width / 2).astype(np.float64)


def in_place(hu: NDArray[np.int16], names: tuple[str, ...]) -> Floats:
    """The original: each window is cut into the image, so that the next sees what is left."""
    image = hu.astype(np.float64)
    for name in names:
        centre, width = WINDOWS[name]
        np.clip(image, centre - width / 2, centre + width / 2, out=image)
    scaled = [
        (image - WINDOWS[name][0] + WINDOWS[name][1] / 2) / WINDOWS[name][1] for name in names
    ]
    return np.stack(scaled)


def test_windows_cut_in_place_are_one_window() -> None:
    """The original's three channels correlate at 1.0000, ours do not."""
    names = ("brain", "subdural", "soft_tissue")
    hu = head()
    ours = np.stack([windowed(hu, name) for name in names]).reshape(3, -1)
    fault = in_place(hu, names).reshape(3, -1)

    assert np.corrcoef(fault).min() == pytest.approx(1.0, abs=1e-9)
    assert np.corrcoef(ours)[0, 1:].max() < 0.99
    assert ours[1].max() == 1
    assert fault[1].max() == pytest.approx(0.5)  # 80 HU, where the window ends at 180


def test_dividing_twice_leaves_no_contrast() -> None:
    """Scaled to 0-1 and divided by 255 once more, a channel spans 0.02; ours spans over 4."""
    shown = np.stack(
        [windowed(head(), name) for name in ("subdural", "brain", "soft_tissue_narrow")]
    )
    ours = (shown - MEAN[:, None, None]) / STD[:, None, None]
    fault = (shown / 255 - MEAN[:, None, None]) / STD[:, None, None]

    assert np.ptp(fault, axis=(1, 2)).max() < 0.02
    assert np.ptp(ours, axis=(1, 2)).min() > 4
    assert ours.std(axis=(1, 2)).min() > 200 * fault.std(axis=(1, 2)).max()


def test_the_recipe_gives_its_networks_ours(recipe: Recipe) -> None:
    """Its scale and shift are those of ImageNet, once; exp10 takes each channel's mean instead."""
    model = recipe.networks["exp18"].model.settings

    assert model["scale"] == pytest.approx(1 / STD, abs=1e-6)
    assert model["shift"] == pytest.approx(-MEAN / STD, abs=1e-6)
    assert recipe.networks["exp10"].model.settings["centred"] is True
