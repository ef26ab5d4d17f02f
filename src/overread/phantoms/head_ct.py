"""Forges folders of head CTs with exactly known bleedings."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from overread.phantoms.head_ct_anatomy import draw_anatomy
from overread.phantoms.head_ct_bleeds import KINDS, Bleed, draw_bleeds, midline_shift
from overread.phantoms.head_ct_dirt import soil_scan
from overread.phantoms.head_ct_fields import Canvas
from overread.phantoms.head_ct_painting import AIR, paint_head
from overread.phantoms.head_ct_scan import Scan, draw_scan, expose, nodes
from overread.phantoms.head_ct_scan_files import (
    IMAGES,
    ForgedScan,
    ForgedSlice,
    label_rows,
    name,
    write_scan,
    write_tables,
)
from overread.phantoms.in_order import in_order
from overread.phantoms.streams import one_thread, stream

__all__ = ["forge_head_ct", "forge_scan", "patient_of"]

NODES = 128  # fields are drawn on so many places across an image
# A reader sees less blood than this in no slice, and calls the slice free of it.
LEAST_MM2 = 15.0
BLEEDING = 0.6  # share of scans with blood
AGAIN = 0.12  # share of scans that show the patient of the scan before


def forge_head_ct(
    folder: Path,
    *,
    num_studies: int,
    seed: int,
    style: str = "clean",
    pixels: int = 256,
    workers: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> None:
    """Forge head CTs in the layout of the RSNA 2019 challenge.

    A scan depends on seed, place, style and pixels alone, so ten are the first ten of twenty.
    Some patients are scanned twice. With several workers a script must call it below
    `if __name__ == "__main__":`. `phantom_truth.json` tells each bleeding with place (mm in the
    head), size and HU, its area in each slice, and the dirt.

    Args:
        folder: where to write; made if absent, must not hold slices yet.
        num_studies: how many, at least one.
        seed: of everything random; not negative.
        style: "clean", or "hospital" with the dirt of real archives.
        pixels: rows and columns, 128 or a multiple up to 1024; 512 is what scanners give.
        workers: processes; None means one per core, 1 means this process.
        on_progress: called with (studies done, studies in all).

    Raises:
        ValueError: if a number or `style` cannot be.
        FileExistsError: if the folder holds slices already.
    """
    if num_studies < 1 or seed < 0 or style not in ("clean", "hospital"):
        raise ValueError(
            f"found num_studies {num_studies}, seed {seed}, style {style!r}; expected 1 or more, "
            "0 or more, and clean or hospital"
        )
    if pixels % NODES or not NODES <= pixels <= 8 * NODES:
        raise ValueError(f"pixels is {pixels}; expected 128, 256, 384, 512 ... up to 1024")
    if workers is not None and workers < 1:
        raise ValueError(f"workers is {workers}; expected 1 or more, or None for one per core")
    if (folder / IMAGES).exists():
        raise FileExistsError(
            f"{folder} holds slices already ({IMAGES}); choose an empty folder or remove it"
        )
    folder.mkdir(parents=True, exist_ok=True)
    forge = partial(_forge_one, folder, seed=seed, style=style, pixels=pixels)
    wanted = workers if workers is not None else os.cpu_count() or 1
    rows: list[tuple[str, int]] = []
    truth = []
    for own, told in in_order(forge, num_studies, min(wanted, num_studies)):
        rows += own
        truth.append(told)
        if on_progress is not None:
            on_progress(len(truth), num_studies)
    write_tables(folder, rows, truth)


def forge_scan(seed: int, index: int, *, style: str = "clean", pixels: int = 256) -> ForgedScan:
    """Forge one scan in memory: pixels, labels and truth, nothing written."""
    patient = patient_of(seed, index)
    bleeds = draw_bleeds(stream(seed, index, "head bleeds"), chance=BLEEDING)
    who = draw_anatomy(stream(seed, patient, "head"), midline_shift(bleeds))
    scan = draw_scan(stream(seed, index, "head scan"), pixels=pixels)
    noise = stream(seed, index, "head noise")
    slices = []
    for place in range(scan.count):
        p = nodes(scan, place, factor=pixels // NODES)
        canvas = Canvas(p.x.shape, pixels // NODES, pixel_mm=scan.spacing, air=AIR)
        areas = paint_head(canvas, who, p, bleeds)
        low = float(np.exp(-(((float(p.z.mean()) + 35) / 20) ** 2)))
        stored = expose(noise, scan, canvas.hu, low=low)
        unit = name(9, "slice", seed, index, place)
        present: dict[str, bool] = {kind: areas.get(kind, 0.0) >= LEAST_MM2 for kind in KINDS}
        slices.append(ForgedSlice(unit, place, stored, present, areas))
    subject = name(8, "patient", seed, patient)
    forged = ForgedScan(seed, index, subject, scan, tuple(slices), _truth(scan, bleeds, who.age))
    return soil_scan(forged) if style == "hospital" else forged


def patient_of(seed: int, index: int) -> int:
    """Return the place of the first scan of this scan's patient."""
    while index and stream(seed, index, "head patient").random() < AGAIN:
        index -= 1
    return index


def _truth(scan: Scan, bleeds: tuple[Bleed, ...], age: float) -> dict[str, Any]:
    return {
        "tilt_deg": round(float(np.degrees(scan.tilt)), 3),
        "age": round(age, 3),
        "bleeds": [
            {
                "kind": bleed.kind,
                "form": bleed.form,
                "side": "left" if bleed.side > 0 else "right",
                "place_mm": [round(value, 1) for value in bleed.place],
                "size": round(bleed.size, 4),
                "hu": round(bleed.hu, 1),
            }
            for bleed in bleeds
        ],
    }


@one_thread
def _forge_one(
    folder: Path, index: int, *, seed: int, style: str, pixels: int
) -> tuple[list[tuple[str, int]], dict[str, Any]]:
    scan = forge_scan(seed, index, style=style, pixels=pixels)
    return label_rows(scan), write_scan(folder, scan)
