"""Commands about how fast a bundle grades: export, tune, compare."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from overread.cli.options import Json, write_json
from overread.cli.progress import showing
from overread.cli.tables import table

if TYPE_CHECKING:
    from overread.inference import Bundle
    from overread.inference.engines import Parity, Race
    from overread.records import Labels

__all__ = ["COMMANDS"]

Trusted = Annotated[
    list[str] | None,
    typer.Option("--trust", help="A package outside overread that the bundle may name."),
]
BundleFolder = Annotated[Path, typer.Argument(metavar="BUNDLE", help="Folder of a bundle.")]
Studies = Annotated[Path, typer.Argument(help="A study, or a folder of studies.")]
LabelFile = Annotated[
    Path | None,
    typer.Option("--labels", help="A table of labels of these studies, as `score` takes it."),
]
Tolerance = Annotated[
    float, typer.Option(min=0, max=1, help="Largest difference of a probability that is allowed.")
]
Flips = Annotated[
    float, typer.Option(min=0, max=1, help="Share of answers whose grade may be another.")
]


def export(  # noqa: PLR0913 - each is an option of the command
    bundle: BundleFolder,
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="A new folder.")],
    engine: Annotated[str, typer.Option(help="onnx or openvino.")] = "onnx",
    precision: Annotated[str, typer.Option(help="fp32, bf16 or int8.")] = "fp32",
    check: Annotated[
        Path | None, typer.Option(help="A study, or a folder of studies, whose grades must agree.")
    ] = None,
    labels: LabelFile = None,
    tolerance: Tolerance = 0.01,
    flips: Flips = 0.0,
    studies: Annotated[int, typer.Option(min=1, help="Most studies that are looked at.")] = 20,
    trusted: Trusted = None,
    json: Json = False,
) -> None:
    """Write a bundle for another engine, with a record of how far its grades are from the old."""
    from overread.inference import Bundle
    from overread.inference.engines import ExportSpec, Way
    from overread.inference.engines import export as write

    way = _choice(Way, engine=engine, precision=precision)
    if way is None or not way.written:
        raise typer.BadParameter(
            f"found {engine} {precision}, expected onnx with fp32 or int8, or openvino with fp32, "
            "bf16 or int8"
        )
    loaded = Bundle.load(bundle, trusted=trusted or [])
    spec = ExportSpec(tolerance=tolerance, flips=flips, studies=studies)
    done = write(loaded, output, way, check, spec=spec, labels=_labels(loaded, labels))
    if json:
        write_json({"bundle": str(output), **done.to_json()})
        return
    for part, why in done.kept.items():
        typer.echo(f"{part} is still run by torch: {why}", err=True)
    if done.parity is not None and done.before is not None and done.after is not None:
        _show_parity(done.parity)
        _show_races({"before": done.before, str(way): done.after})
    typer.echo(f"bundle {output} ({done.hash[:12]})")


def tune(
    bundle: BundleFolder,
    path: Studies,
    *,
    tolerance: Tolerance = 0.01,
    flips: Flips = 0.0,
    studies: Annotated[int, typer.Option(min=1, help="Most studies that are looked at.")] = 5,
    batch: Annotated[
        int, typer.Option(min=1, help="Studies that one call of `grade` has as a rule.")
    ] = 20,
    compiled: Annotated[
        bool, typer.Option("--compiled", help="Also try torch.compile; takes minutes.")
    ] = False,
    trusted: Trusted = None,
    json: Json = False,
) -> None:
    """Measure engines and precisions on this host; `grade` then uses what was fastest and alike."""
    from overread.inference import Bundle
    from overread.inference.engines import TuneSpec
    from overread.inference.engines import tune as measure

    loaded = Bundle.load(bundle, trusted=trusted or [])
    spec = TuneSpec(
        tolerance=tolerance, flips=flips, studies=studies, batch=batch, compiled=compiled
    )
    with showing() as on_progress:
        found = measure(loaded, path, spec=spec, on_progress=on_progress)
    if json:
        write_json({"folder": str(found.folder), **found.to_json()})
        return
    _show_races({name: one.race for name, one in found.tried.items() if one.race is not None})
    for name, one in found.tried.items():
        if one.refused is not None:
            typer.echo(f"{name} is not used: {one.refused}")
    table(("part", "way"), [(part, str(way)) for part, way in found.ways.items()])


def compare(
    bundle: BundleFolder,
    other: Annotated[Path, typer.Argument(help="Folder of another bundle, such as a student's.")],
    path: Studies,
    *,
    labels: LabelFile = None,
    studies: Annotated[int, typer.Option(min=1, help="Most studies that are looked at.")] = 20,
    trusted: Trusted = None,
    json: Json = False,
) -> None:
    """Grade the same studies with two bundles: how far apart, how good, how fast."""
    from overread.inference import Bundle
    from overread.inference.engines import compare_grades, race

    loaded = [Bundle.load(one, trusted=trusted or []) for one in (bundle, other)]
    races = [race(one, path, most=studies) for one in loaded]
    parity = compare_grades(races[0].grades, races[1].grades, _labels(loaded[0], labels))
    if json:
        write_json(
            {
                "parity": parity.to_json(),
                "first": {"bundle": loaded[0].hash, **races[0].to_json()},
                "second": {"bundle": loaded[1].hash, **races[1].to_json()},
            }
        )
        return
    _show_parity(parity)
    _show_races({str(bundle): races[0], str(other): races[1]})


def _choice(kind: Any, **settings: str) -> Any:
    """Return settings; None where they are no such thing."""
    try:
        return kind.model_validate(settings)
    except ValueError:
        return None


def _labels(bundle: "Bundle", path: Path | None) -> "Labels | None":
    from overread.shelf import settings_of

    if path is None:
        return None
    module, spec = settings_of("overread.datasets", bundle.recipe.dataset)
    found: Labels = module.read_labels(spec, path)
    return found


def _show_parity(parity: "Parity") -> None:
    typer.echo(
        f"{parity.answers} answers of {parity.studies} studies: a probability is off by "
        f"{parity.largest:.2g} at most and {parity.mean:.2g} on average, {parity.flips} have "
        f"another grade, points lie {parity.points_mm:.2g} mm apart at most"
    )
    if parity.apart:
        typer.echo(f"{parity.apart} studies or answers are in one and not in the other")
    rows = [
        (metric, *(_number(one[key]) for key in ("first", "second", "difference", "low", "high")))
        for metric, one in parity.scores.items()
    ]
    table(("metric", "first", "second", "difference", "low", "high"), rows)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _show_races(races: "Mapping[str, Race]") -> None:
    rows = [
        (name, *(f"{value:.3f}" for value in (one.load_s, one.first_s, one.study_s)))
        for name, one in races.items()
    ]
    table(("", "open, s", "first study, s", "each further, s"), rows)


COMMANDS: dict[str, Callable[..., None]] = {
    "export": export,
    "tune": tune,
    "compare": compare,
}
