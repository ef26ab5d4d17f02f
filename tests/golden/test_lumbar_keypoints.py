"""Heat-map targets, decoding and slice choice equal the original on every golden file."""

from pathlib import Path

import numpy as np
import pytest
import torch
from golden_files import generated, golden_files, inputs, record

from overread.imaging import decode_heatmaps, heatmap_radius, render_heatmaps
from overread.records import Planes

FILES = golden_files("lumbar_keypoints")


def shares(maps: np.ndarray) -> np.ndarray:
    """Decode by the published box, as shares of width and height."""
    points, _ = decode_heatmaps(maps, method="box")
    return (points + 0.5) / np.array(maps.shape[:-3:-1])


@pytest.mark.parametrize("path", FILES)
@pytest.mark.parametrize(("plane", "centre"), [("sagittal", "round"), ("axial", "truncate")])
def test_targets(path: Path, plane: str, centre: str) -> None:
    """Targets are drawn as the original draws them, also for points outside the image."""
    golden = record(path)["targets"][plane]
    radius = heatmap_radius(golden["nominal_box"] / golden["stride"])
    points = torch.tensor(golden["points_px_380"], dtype=torch.float64) / golden["stride"]
    maps = render_heatmaps(points, tuple(golden["size"]), radius=radius, centre=centre)
    with np.load(path) as file:
        expected = file[f"target_{plane}"]

    assert radius == golden["radius"]
    np.testing.assert_allclose(maps.numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("path", FILES)
def test_decoding(path: Path) -> None:
    """The box of the top 0.2 % gives the original's points, in the image and in the patient."""
    golden = record(path)
    geometry = golden["geometry"]
    cosines = np.array([geometry["iop"]])
    planes = Planes(
        np.array([geometry["ipp"]]),
        cosines[:, :3],
        cosines[:, 3:],
        np.array([geometry["spacing"]]),
        np.array([geometry["image_shape"]]),
    )
    for case in golden["decode"]:
        found = shares(generated(case))
        image = found * np.array(geometry["image_shape"][::-1])
        world = planes.to_world(np.zeros(len(image), int), image)

        np.testing.assert_allclose(found, case["normalised_xy"], atol=1e-6)
        np.testing.assert_allclose(image, case["image_xy"], atol=golden["tolerance"]["decode_px"])
        np.testing.assert_allclose(world, case["world_mm"], atol=golden["tolerance"]["world_mm"])


@pytest.mark.parametrize("path", FILES)
def test_flat_map(path: Path) -> None:
    """A flat map decodes to the middle of the image."""
    golden = record(path)["decode_flat_map"]
    maps = np.full((5, 190, 190), golden["value"], np.float32)

    np.testing.assert_allclose(shares(maps), golden["normalised_xy"], atol=1e-6)


@pytest.mark.parametrize("path", FILES)
def test_confidence_threshold(path: Path) -> None:
    """Maps whose peak lies below the threshold are told by their confidence."""
    golden = record(path)["decode_threshold"]
    factor = np.array(golden["channel_factor"], np.float32)[:, None, None]
    maps = generated(golden) * factor
    _, sure = decode_heatmaps(maps, method="box")
    kept = sure >= golden["keypoint_threshold"]

    assert kept.tolist() == [point is not None for point in golden["normalised_xy"]]


@pytest.mark.parametrize("path", FILES)
def test_robust_decoding_stays_near_single_blobs(path: Path) -> None:
    """On maps with one blob the sub-pixel decoding agrees with the published one to 2 cells."""
    singles = [case for case in record(path)["decode"] if case["args"]["blobs"] == 1]
    for case in singles:
        maps = generated(case)
        radius = 20 if maps.shape[-1] > 100 else 10
        points, sure = decode_heatmaps(maps, radius=radius)
        box, _ = decode_heatmaps(maps, method="box")

        assert np.abs(points - box).max() < 2
        assert (sure > 0.3).all()


@pytest.mark.parametrize("path", FILES)
def test_metrics_of_decoding(path: Path) -> None:
    """The mean distance of decoded points, a share of the image's side, is the original's."""
    golden = record(path)["keypoint_metrics"]
    maps = np.stack(
        [
            inputs().heatmaps(
                golden["seed"] + i, tuple(golden["shape"][1:]), golden["blobs"], golden["noise"]
            )
            for i in range(golden["shape"][0])
        ]
    )
    points, _ = decode_heatmaps(maps, method="box")
    side = golden["shape"][-1] * golden["stride"]
    target = np.array(golden["targets_px"])
    away = np.linalg.norm((points + 0.5) * golden["stride"] - target, axis=-1) / side
    expected = golden["metrics"]

    assert away.mean() == pytest.approx(expected["mnd(per)"], abs=1e-6)
    for share in (0.01, 0.02, 0.03, 0.04, 0.05):
        hits = float((away < share).all(axis=1).mean())
        assert hits == pytest.approx(expected[f"acc(per)@{share}"], abs=1e-6)
