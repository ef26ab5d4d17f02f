"""Windows of the real head CT equal the original; its faults are shown and are not ours."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from golden_files import golden_files, record
from ich_series import check_pixels, hounsfield, series
from numpy.typing import NDArray

from overread.imaging import ViewSpec, WindowSpec, cut, stretch
from overread.imaging.windows import WINDOWS

NAMES = {"soft_tissue_concat": "soft_tissue_narrow"}
THREE = ("brain", "subdural", "soft_tissue")
Floats = NDArray[np.float64]


def window_of(name: str) -> WindowSpec:
    """The window of ours that a golden name means."""
    return WindowSpec.model_validate(NAMES.get(name, name))


def summary(values: Floats) -> dict[str, float]:
    """What a fixture tells of an array."""
    return {
        "mean": float(values.mean()),
        "std": float(values.std()),
        "min": float(values.min()),
        "max": float(values.max()),
    }


@pytest.mark.parametrize("path", golden_files("ich_windows"))
def test_windows(path: Path) -> None:
    """Limits and clipped HU are exact; rescaled values agree to 1e-6, float32 to its rounding."""
    golden = record(path)
    arrays = np.load(path)
    for entry in golden["slices"]:
        check_pixels(entry)
        hu = hounsfield(entry["z_index"])
        assert summary(hu.astype(np.float64)) == pytest.approx(entry["hu"], abs=1e-6)
        for name, expected in entry["windows"].items():
            window = window_of(name)
            assert (expected["low"], expected["high"]) == window.fixed
            assert (expected["center"], expected["width"]) == (window.centre, window.width)
            low, high = expected["low"], expected["high"]
            shown = stretch(hu, low, high).astype(np.float64)
            clipped = np.rint(shown * (high - low) + low).astype(np.int16)
            rescaled = (clipped - low) / (high - low) * 255

            assert (arrays[f"{entry['z_index']}_{name}_hu"] == clipped[::4, ::4]).all()
            assert summary(rescaled) == pytest.approx(expected["rescaled"], abs=1e-6)
            assert np.abs(shown * 255 - rescaled).max() < 1e-4
            assert expected["share_low"] == pytest.approx((hu <= low).mean(), abs=1e-6)
            assert expected["share_high"] == pytest.approx((hu >= high).mean(), abs=1e-6)


@pytest.mark.parametrize("path", golden_files("ich_windows"))
def test_mismatched_constants_are_not_ours(path: Path) -> None:
    """The original rescales 40/300 by 380, so it spans 0.105 to 0.895; ours spans 0 to 1."""
    for entry in record(path)["slices"]:
        check_pixels(entry)
        theirs = entry["concat_channels_unit"]["soft_tissue_300_over_380"]
        low, high = WindowSpec.model_validate("soft_tissue_narrow").fixed or (0, 0)
        hu = hounsfield(entry["z_index"]).astype(np.float64)
        fault = (hu.clip(low, high) + 150) / 380
        ours = stretch(hu.astype(np.int16), low, high)

        assert summary(fault) == pytest.approx(theirs, abs=1e-6)
        assert (ours.min(), ours.max()) == (0, 1)


def three_windows(hu: NDArray[Any]) -> NDArray[Any]:
    """Ours: three windows of one slice, each minus its mean."""
    layers = [stretch(hu, *(window_of(name).fixed or (0, 0))) for name in THREE]
    return np.stack([layer - layer.mean(dtype=np.float64) for layer in layers])


def in_place(hu: NDArray[Any]) -> NDArray[Any]:
    """The fault: each window clips what the one before left of the image."""
    values, layers = hu.astype(np.float64), []
    for name in THREE:
        centre, width = WINDOWS[name]
        np.clip(values, centre - width / 2, centre + width / 2, out=values)
    for name in THREE:  # all three alias the one array, which is 0 to 80 HU in the end
        centre, width = WINDOWS[name]
        layer = (values - (centre - width / 2)) / width
        layers.append(layer - layer.mean())
    return np.stack(layers)


def correlation(layers: NDArray[Any]) -> list[float]:
    """Of channels 1 and 2, 1 and 3, 2 and 3."""
    matrix = np.asarray(np.corrcoef(layers.reshape(3, -1).astype(np.float64)))
    return [matrix[0, 1], matrix[0, 2], matrix[1, 2]]


@pytest.mark.parametrize("path", golden_files("ich_exp10_bug"))
def test_three_windows_are_three(path: Path) -> None:
    """The original's three channels are one (correlation 1.0000); ours equal the right ones."""
    golden = record(path)
    arrays = np.load(path)
    for entry in golden["slices"]:
        hu = hounsfield(entry["z_index"])
        ours, fault, key = three_windows(hu), in_place(hu), entry["z_index"]
        tolerance = golden["tolerance"]

        assert np.abs(arrays[f"{key}_bug"] - fault[:, ::8, ::8]).max() < tolerance["bug"]
        assert np.abs(arrays[f"{key}_right"] - ours[:, ::8, ::8]).max() < tolerance["right"]
        assert correlation(fault) == pytest.approx([1, 1, 1], abs=1e-9)
        assert sorted(correlation(ours)) == pytest.approx(
            sorted(entry["channel_correlation_right"]), abs=1e-6
        )
        assert max(correlation(ours)) < 0.999


@pytest.mark.parametrize("path", golden_files("ich_exp10_bug"))
def test_a_view_of_three_windows_is_right_too(path: Path) -> None:
    """Cut by a view with three named windows, as recipes do, channels differ in the same way."""
    golden = record(path)
    view = ViewSpec.model_validate(
        {
            "series": "ct",
            "channels": [[0], [0], [0]],
            "windows": list(THREE),
            "pixels": (512, 512),
            "margin": 1,
        }
    )
    for entry in golden["slices"]:
        crops = cut(view, series(), {}, f"1/{entry['z_index'] + 1:04}").pixels[0]
        centred = crops.astype(np.float64) - crops.mean(axis=(1, 2), keepdims=True, dtype=float)
        right = np.load(path)[f"{entry['z_index']}_right"]

        assert np.abs(centred[:, ::8, ::8] - right).max() < 1e-3  # kept as float16
