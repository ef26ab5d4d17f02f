"""The original's network inputs follow from its crops by our slice choice and normalisation."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from golden_files import GOLDEN, golden_files, inputs, record
from torch.nn import functional

from overread.imaging import resample_slices
from overread.imaging.slices import central_slices

FILES = golden_files("lumbar_tensors")
PLANES = {"t1": "Sagittal T1", "t2": "Sagittal T2/STIR", "ax": "Axial T2"}


def stored_crops(name: str, case: dict[str, Any]) -> dict[tuple[int, str, str], list[np.ndarray]]:
    """The crops of a fixture by (version, level, series type), in patient order."""
    roles = {str(one["series_id"]): one["description"] for one in case["sagittal"]}
    roles |= {str(one["series_id"]): "Axial T2" for one in case["axial"]}
    if not (GOLDEN / name).is_file():
        pytest.skip(f"{name}, the crops that these tensors were made from, is not in {GOLDEN}")
    with np.load(GOLDEN / name) as file:
        table = {key: file[key] for key in file.files if key != "meta"}
    rows: dict[tuple[int, str, str], list[tuple[float, int, np.ndarray]]] = {}
    for i, (height, width) in enumerate(table["shape"].astype(int)):
        start = int(table["offset"][i])
        image = table["pixels"][start : start + height * width].reshape(height, width)
        series = str(table["series_id"][i])
        level = inputs().LEVELS[int(table["level"][i])]
        key = (int(table["version"][i]), level, f"{roles[series]}/{series}")
        rows.setdefault(key, []).append((float(table["standard_pos"][i]), i, image))
    return {
        key: [image for _, _, image in sorted(row, reverse="Axial" in key[2])]
        for key, row in rows.items()
    }


def chosen(images: list[np.ndarray], view: str, plane: str, count: int) -> list[np.ndarray]:
    """The slices of a view, and of axial ones the half of a side."""
    order = np.arange(len(images))
    if view == "Ver6" and plane != "ax":
        order = central_slices(len(images), 0.5)
    if view.startswith("Ver5") and plane != "ax":
        inwards = order if view.endswith("right") else order[::-1]
        order = inwards[: (len(images) + 1) // 2]
    picked = [images[i] for i in order[resample_slices(len(order), count)]]
    if view.startswith("Ver5") and plane == "ax":
        if view.endswith("left"):
            return [image[:, int(image.shape[1] * 0.4) :] for image in picked]
        return [image[:, : int(image.shape[1] * 0.6)][:, ::-1] for image in picked]
    return picked


def resized(image: np.ndarray, pixels: int) -> np.ndarray:
    """Bilinear, aspect ignored."""
    tensor = torch.from_numpy(image.astype(np.float32).copy())[None, None]
    small = functional.interpolate(tensor, (pixels, pixels), mode="bilinear", align_corners=False)
    return np.asarray(small[0, 0].round().numpy())


@pytest.mark.parametrize("path", FILES)
def test_tensors(path: Path) -> None:
    """Selection, side halves, mirror and size agree to 3 grey levels, 0.3 on average."""
    golden = record(path)
    crops = stored_crops(golden["inputs"]["crops"], golden["inputs"]["case"])
    with np.load(path) as file:
        tensors = {key: file[key] for key in file.files if key != "meta"}
    compared = 0
    for entry in golden["entries"]:
        for plane, role in PLANES.items():
            wanted = tensors.get(f"{entry['key']}__{plane}")
            found = candidates(crops, entry, role)
            if wanted is None or not found:
                continue
            picked = chosen(found, entry["view"], plane, len(wanted))
            off = np.abs(np.stack([resized(one, wanted.shape[-1]) for one in picked]) - wanted)
            compared += 1

            assert off.max() <= 3, (entry["key"], plane)
            assert off.mean() <= 0.3, (entry["key"], plane)
    assert compared > 20


def candidates(
    crops: dict[tuple[int, str, str], list[np.ndarray]], entry: dict[str, Any], role: str
) -> list[np.ndarray]:
    """The crops of the series that an entry was made from."""
    wanted = entry["axial_series"] if role.startswith("Axial") else None
    for (version, level, series), images in crops.items():
        kind, _, number = series.rpartition("/")
        if (version, level, kind) != (entry["version"], entry["level"], role):
            continue
        if wanted is None or str(wanted) == number:
            return images
    return []


@pytest.mark.parametrize("path", FILES)
def test_missing_planes_are_told(path: Path) -> None:
    """Planes that the original fed as zeros are those without a crop: ours are masked."""
    golden = record(path)
    crops = stored_crops(golden["inputs"]["crops"], golden["inputs"]["case"])
    for name in golden["zero_tensors"]:
        key, _, plane = name.rpartition("__")
        entry = next(one for one in golden["entries"] if one["key"] == key)

        assert candidates(crops, entry, PLANES[plane]) == []
