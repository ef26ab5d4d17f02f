"""Commands about data: inspect, forge, score."""

from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import Annotated, Any

import typer

from overread.cli.options import Json, write_json
from overread.cli.progress import showing
from overread.cli.tables import show_scores, table, uid_end

__all__ = ["COMMANDS"]

Dataset = Annotated[str, typer.Argument(help="Name of the dataset, such as rsna2024_lumbar.")]
SHORT = {"faces": "mask_faces", "head_ct": "rsna2019_head_ct", "lumbar": "rsna2024_lumbar"}


def inspect(
    folder: Annotated[Path, typer.Argument(help="A folder of DICOM files, in any layout.")],
    *,
    json: Json = False,
) -> None:
    """Say what studies, series and faults a folder holds. Opens headers only."""
    from overread.imaging import read_studies

    if not folder.exists():
        raise FileNotFoundError(f"{folder}: found nothing there, expected a folder of studies")
    with showing() as on_progress:
        reading = read_studies(folder, on_progress=on_progress)
    if json:
        write_json(reading.to_json())
        return
    told = reading.to_json()
    rows = [
        (
            uid_end(study["study_uid"]),
            uid_end(one["series_uid"]),
            one["role"] or "-",
            *_stack(one, stack),
        )
        for study in told["studies"]
        for one in study["series"]
        for stack in one["stacks"]
    ]
    columns = ("study", "series", "role", "sure", "slices", "mm apart", "mm a pixel", "tilt")
    table(columns, rows, title=f"{folder}: a row a stack")
    findings = [(f.severity, f.code, uid_end(f.study or "-"), f.message) for f in reading.findings]
    table(("severity", "code", "study", "what"), findings, title="findings")


def _stack(series: dict[str, Any], stack: dict[str, Any]) -> tuple[str, ...]:
    spacing, pixel = stack["spacing_mm"], stack["pixel_spacing_mm"]
    return (
        f"{series['role_confidence']:.2f}",
        str(stack["num_slices"]),
        "-" if spacing is None else f"{spacing:.3f}",
        "-" if pixel is None else " x ".join(f"{side:.3f}" for side in pixel),
        "-" if stack["tilt_deg"] is None else f"{stack['tilt_deg']:.1f}",
    )


def forge(
    dataset: Dataset,
    folder: Annotated[Path, typer.Argument(help="A new folder.")],
    *,
    studies: Annotated[int, typer.Option(min=1, help="How many studies.")] = 20,
    seed: Annotated[int, typer.Option(min=0, help="Of all chance.")] = 0,
    style: Annotated[str, typer.Option(help="clean, or hospital with real dirt.")] = "clean",
    photos: Annotated[
        Path | None, typer.Option(help="Photographs to make them from, where the dataset can.")
    ] = None,
    pixels: Annotated[
        int | None, typer.Option(help="Rows and columns of slices, where the dataset lets choose.")
    ] = None,
) -> None:
    """Forge phantom studies with known truth, in the layout of a dataset."""
    from overread.shelf import take

    if style not in {"clean", "hospital"}:
        raise typer.BadParameter(f'found "{style}", expected clean or hospital')
    for path in (folder, *folder.parents):
        if path.exists() and not path.is_dir():
            raise FileExistsError(f"{path}: found a file, expected a new folder")
    if folder.exists() and any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty; choose a new folder")
    module = take("overread.datasets", SHORT.get(dataset, dataset))
    settings: dict[str, Any] = {"studies": studies, "seed": seed, "style": style}
    if photos is not None:
        if "photos" not in signature(module.forge).parameters:
            raise typer.BadParameter(f"{dataset} is not made from photographs; leave --photos out")
        settings["photos"] = photos
    if pixels is not None:
        if "pixels" not in signature(module.forge).parameters:
            raise typer.BadParameter(f"{dataset} has a size of its own; leave --pixels out")
        settings["pixels"] = pixels
    with showing() as on_progress:
        module.forge(folder, **settings, on_progress=on_progress)
    typer.echo(f"{studies} studies in {folder}", err=True)


def score(
    dataset: Dataset,
    *,
    labels: Annotated[Path, typer.Option(help="The dataset's table of grades.")],
    predictions: Annotated[Path, typer.Option(help="A table in the layout of a submission.")],
    metric: Annotated[
        list[str] | None, typer.Option(help="Metrics; the dataset's own unless named.")
    ] = None,
    bootstrap: Annotated[int, typer.Option(min=0, help="Replicates for the intervals.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Of the replicates.")] = 0,
    json: Json = False,
) -> None:
    """Score a table of predictions against labels, with intervals and floors."""
    from overread.pipeline.scoring import Coverage, score_tables

    told: list[Coverage] = []
    scores = score_tables(
        SHORT.get(dataset, dataset),
        labels,
        predictions,
        metrics=metric or [],
        bootstrap=bootstrap,
        seed=seed,
        on_coverage=told.append,
    )
    for one in told:
        if str(one):
            typer.echo(f"warning: {one}", err=True)
    counts = {"unpredicted": told[0].unpredicted, "unlabelled": told[0].unlabelled}
    show_scores(scores, json=json, counts=counts)


COMMANDS: dict[str, Callable[..., None]] = {"inspect": inspect, "forge": forge, "score": score}
