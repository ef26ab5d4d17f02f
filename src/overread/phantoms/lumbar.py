"""Forges folders of lumbar MR studies with exactly known truth."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Literal

from overread.phantoms.dirt import soil_study
from overread.phantoms.drawing import draw_study
from overread.phantoms.forged_study import ForgedStudy
from overread.phantoms.in_order import in_order
from overread.phantoms.mirror import mirror_study
from overread.phantoms.rsna_layout import StudyRows, write_study, write_tables
from overread.phantoms.streams import one_thread

Style = Literal["clean", "hospital"]


def forge_lumbar(
    folder: Path,
    *,
    num_studies: int,
    seed: int,
    style: Style = "clean",
    mirrored: bool = False,
    workers: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> None:
    """Forge lumbar MR studies in the layout of the RSNA 2024 challenge.

    A study depends on seed, place and style alone, so ten studies are the first ten of twenty.
    With several workers a script must call it below `if __name__ == "__main__":`.
    `phantom_truth.json` holds world points in mm (LPS), latent severities and scanner settings.

    Args:
        folder: where to write; made if absent, must not hold studies yet.
        num_studies: how many, at least one.
        seed: of everything random; not negative.
        style: "clean", or "hospital" with the dirt of real exports (`phantom_truth.json` names it).
        mirrored: write the same studies with the patients' left and right exchanged.
        workers: processes; None means one per core, 1 means this process.
        on_progress: called with (studies done, studies in all).

    Raises:
        ValueError: if `num_studies`, `seed`, `style` or `workers` cannot be.
        FileExistsError: if the folder holds studies already.
    """
    _check(folder, num_studies=num_studies, seed=seed, style=style, workers=workers)
    folder.mkdir(parents=True, exist_ok=True)
    forge = partial(_forge_one, folder, seed=seed, style=style, mirrored=mirrored)
    wanted = workers if workers is not None else os.cpu_count() or 1
    rows = []
    for row in in_order(forge, num_studies, min(wanted, num_studies)):
        rows.append(row)
        if on_progress is not None:
            on_progress(len(rows), num_studies)
    write_tables(folder, rows)


@one_thread
def forge_study(seed: int, index: int, *, style: Style = "clean") -> ForgedStudy:
    """Forge one study in memory: pixels, planes, points and truth, nothing written."""
    study = draw_study(seed, index)
    return soil_study(study) if style == "hospital" else study


def _check(folder: Path, *, num_studies: int, seed: int, style: str, workers: int | None) -> None:
    if num_studies < 1:
        raise ValueError(f"num_studies is {num_studies}; expected 1 or more.")
    if seed < 0:
        raise ValueError(f"seed is {seed}; expected 0 or more.")
    if style not in ("clean", "hospital"):
        raise ValueError(f"style is {style!r}; expected 'clean' or 'hospital'.")
    if workers is not None and workers < 1:
        raise ValueError(f"workers is {workers}; expected 1 or more, or None for one per core.")
    if (folder / "train_images").exists():
        raise FileExistsError(
            f"{folder} holds studies already (train_images); choose an empty folder or remove it."
        )


@one_thread
def _forge_one(folder: Path, index: int, *, seed: int, style: Style, mirrored: bool) -> StudyRows:
    study = forge_study(seed, index, style=style)
    return write_study(folder, mirror_study(study) if mirrored else study)
