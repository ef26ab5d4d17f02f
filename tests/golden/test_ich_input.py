"""Neighbour images of the real head CT equal the original's, as views with channels.

Where the original scales windows to 0-1 and divides by 255 once more, the fault is rebuilt here
from our channels, and ours are shown to keep their contrast.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from golden_files import golden_files, record
from ich_series import series, units
from numpy.typing import NDArray

from overread.imaging import ViewSpec, cut
from overread.imaging.channels import scan_of, stack_channels
from overread.imaging.cutting import channel_slice

MEAN = np.array([0.485, 0.456, 0.406])[:, None, None]
STD = np.array([0.229, 0.224, 0.225])[:, None, None]
# Offsets of the experiments, in the order of their channels.
CHANNELS = {
    "exp16": [[0], [-1], [1]],
    "exp18": [[0], [-1], [1]],
    "exp19": [[0], [-2], [2]],
    "exp21": [[0], [-1], [-2]],
    "exp22": [[0], [1], [2]],
    "exp23": [[0], [-1], [-2]],
    "exp24": [[0], [1], [2]],
}
CROP_MM = 462 * 0.48828125  # a centre crop of 462 pixels of this series


def view_of(entry: dict[str, Any], *, crop: bool) -> ViewSpec:
    """The view that stands for an experiment."""
    three = entry.get("three_window", False)
    return ViewSpec.model_validate(
        {
            "series": "ct",
            "channels": CHANNELS[entry["exp"]],
            "windows": ["subdural", "brain", "soft_tissue_narrow"] if three else ["subdural"],
            "pixels": (512, 512),
            "size_mm": (CROP_MM, CROP_MM) if crop else None,
            "margin": 1,
        }
    )


def channels_of(entry: dict[str, Any], *, crop: bool) -> NDArray[Any]:
    """Our channels, 0-1, before they are kept as float16."""
    view = view_of(entry, crop=crop)
    found = scan_of(series(), "ct", f"1/{entry['z_index'] + 1:04}")
    assert found is not None
    return stack_channels(view, *found, lambda one, window: channel_slice(view, one, window))


def normalised(entry: dict[str, Any], shown: NDArray[Any]) -> NDArray[Any]:
    """As the original feeds it, with its faults where the entry has them."""
    if entry.get("three_window"):
        faulty = shown.astype(np.float64)
        faulty[2] = (faulty[2] * 300 - 110 + 150) / 380  # 40/300, rescaled by other constants
        return np.asarray((faulty / 255 - MEAN) / STD)
    return np.asarray((shown - MEAN) / STD)


def cases() -> list[Any]:
    """Every entry of every file."""
    return [
        pytest.param(path, entry, id=f"{path.stem}-{entry['exp']}-{entry['z_index']}")
        for path in sorted(p.values[0] for p in golden_files("ich_input") if p.values[0].name)
        for entry in record(path)["entries"]
    ]


@pytest.mark.skipif(not cases(), reason="no ich_input fixture; set OVERREAD_GOLDEN")
@pytest.mark.parametrize(("path", "entry"), cases())
def test_whole_slices(path: Path, entry: dict[str, Any]) -> None:
    """Without crop and resize the tensors agree to 1e-5, and so do their statistics."""
    assert units()[entry["z_index"]] == entry["image"]
    found = normalised(entry, channels_of(entry, crop=False))
    expected = np.load(path)[f"{entry['exp']}_{entry['z_index']}_no_crop"]

    assert np.abs(found[:, ::16, ::16] - expected).max() < 1e-5
    for layer, told in zip(found, entry["channel_stats_no_crop"], strict=True):
        assert layer.mean() == pytest.approx(told["mean"], abs=1e-3)
        assert layer.std() == pytest.approx(told["std"], abs=1e-3)


@pytest.mark.skipif(not cases(), reason="no ich_input fixture; set OVERREAD_GOLDEN")
@pytest.mark.parametrize(("path", "entry"), cases())
def test_cropped_slices(path: Path, entry: dict[str, Any]) -> None:
    """A crop of 462 px enlarged to 512 agrees to 0.02 at most and 0.002 on average."""
    found = normalised(entry, channels_of(entry, crop=True))[:, 4::16, 4::16]
    apart = np.abs(found - np.load(path)[f"{entry['exp']}_{entry['z_index']}"])

    assert apart.max() < 0.02
    assert apart.mean() < 0.002


@pytest.mark.skipif(not cases(), reason="no ich_input fixture; set OVERREAD_GOLDEN")
@pytest.mark.parametrize(("path", "entry"), cases())
def test_ours_keep_their_contrast(path: Path, entry: dict[str, Any]) -> None:
    """The original's three-window inputs span 0.02; ours, cut by the view, span the whole range."""
    del path
    crop = cut(view_of(entry, crop=False), series(), {}, f"1/{entry['z_index'] + 1:04}").pixels[0]
    ours = (crop.astype(np.float64) - MEAN) / STD
    if entry.get("three_window"):
        assert max(one["max"] - one["min"] for one in entry["channel_stats"]) < 0.03

    assert (np.ptp(ours, axis=(1, 2)) > 4.3).all()
