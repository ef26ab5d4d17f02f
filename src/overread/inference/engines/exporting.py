"""A bundle is written for another engine, with a record of how far its grades lie from the old.

A network that cannot be written down stays as it is, and the record says why.
"""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import Field
from torch import nn

from overread.inference.bundle import Bundle
from overread.inference.engines.calibrating import Samples, record_samples
from overread.inference.engines.graph import GRAPH, Form, Graph
from overread.inference.engines.onnx_engine import quantise
from overread.inference.engines.parity import Parity, ParitySpec, compare_grades, unlike
from overread.inference.engines.racing import Race, race
from overread.inference.engines.ways import EngineError, Way, refuse_missing
from overread.inference.engines.writing import (
    UnwritableError,
    as_arrays,
    write_grader,
    write_locator,
)
from overread.inference.member import view_shapes
from overread.records import Labels

__all__ = ["ExportError", "ExportSpec", "Exported", "export", "in_ways"]


class ExportError(EngineError):
    """A bundle that is not written, because its grades would be others."""


class ExportSpec(ParitySpec):
    """How a bundle is written.

    Attributes:
        tolerance, flips: see `ParitySpec`.
        studies: most that are looked at, for parity and for the ranges of int8.
    """

    studies: int = Field(default=20, ge=1)


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        hash: of the new bundle.
        parity: its grades against those of the old; None where no studies were given.
        before, after: how long both took for the studies.
        kept: {part: why it is still run by torch}.
    """

    hash: str
    parity: Parity | None
    before: Race | None
    after: Race | None
    kept: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        return {
            "hash": self.hash,
            "parity": self.parity and self.parity.to_json(),
            "before": self.before and self.before.to_json(),
            "after": self.after and self.after.to_json(),
            "kept": dict(self.kept),
        }


def export(
    bundle: Bundle,
    folder: Path,
    way: Way,
    check: Path | None = None,
    *,
    spec: ExportSpec | None = None,
    labels: Labels | None = None,
) -> Exported:
    """Write a bundle for an engine and a precision.

    Every graph is compared with its network on made-up inputs. With studies, the grades of both
    bundles are compared, and nothing is written if they lie too far apart.

    Args:
        bundle: whose networks torch runs.
        folder: must not exist, or be empty.
        way: how all its networks are to be run.
        check: a study, or a folder of studies; int8 needs them.
        spec: how far grades may lie apart.
        labels: of these studies, for the scores in the record.

    Raises:
        EngineError: if the library is not there, or int8 has no studies.
        ExportError: if the grades lie too far apart.
        BundleError: if the folder is not empty.
    """
    spec = spec or ExportSpec()
    refuse_missing(way)
    if bundle.graphs or bundle.ways:
        raise EngineError(
            f"bundle {bundle.recipe.name} was exported already; export the bundle that it came from"
        )
    before = None if check is None else race(bundle, check, most=spec.studies)
    with tempfile.TemporaryDirectory(prefix="overread-export-") as place:
        samples = record_samples(bundle, check, most=spec.studies) if _exact(way) else {}
        ways = dict.fromkeys(bundle.networks(), way)
        written, kept = in_ways(bundle, ways, Path(place), samples)
        after = None if check is None else race(written, check, most=spec.studies)
        parity = None
        if before is not None and after is not None:
            parity = compare_grades(before.grades, after.grades, labels)
            if why := unlike(spec, parity):
                raise ExportError(
                    f"bundle {bundle.recipe.name} is not written as {way}: {why} (in "
                    f"{parity.studies} studies); allow more with --tolerance and --flips, or "
                    "choose another engine or precision"
                )
        done = Exported("", parity, before, after, kept)
        card = {**bundle.card, "exported": {"from": bundle.hash, "way": str(way), **_noted(done)}}
        return replace(done, hash=replace(written, card=card).save(folder))


def _exact(way: Way) -> bool:
    return way.precision == "int8"


def _noted(done: Exported) -> dict[str, Any]:
    return {name: value for name, value in done.to_json().items() if name != "hash"}


def in_ways(
    bundle: Bundle, ways: Mapping[str, Way], place: Path, samples: Samples
) -> tuple[Bundle, dict[str, str]]:
    """Return the bundle with each part run in its way, and why some still are run by torch.

    Args:
        bundle: whose networks torch runs.
        ways: {part: way}.
        place: a folder for graphs, which must outlive the result until it is saved.
        samples: inputs of the networks for int8.
    """
    graphs: dict[str, dict[int, Graph]] = {}
    kept: dict[str, str] = {}
    for part, networks in bundle.networks().items():
        way = ways.get(part, Way())
        if not way.written:
            continue
        try:
            graphs[part] = {
                fold: _graph(bundle, (part, fold, network), way, place=place, samples=samples)
                for fold, network in networks.items()
                if isinstance(network, nn.Module)
            }
        except UnwritableError as error:
            kept[part] = str(error)
    torches = {part: way for part, way in ways.items() if not way.written and way != Way()}
    left = [
        {name: folds for name, folds in table.items() if f"{kind}-{name}" not in graphs}
        for kind, table in (("locator", bundle.locators), ("member", bundle.members))
    ]
    made = replace(
        bundle,
        locators=left[0],
        members=left[1],
        graphs=graphs,
        ways=torches,
        hash="",
        stand_ins={},
    )
    return made, kept


def _graph(
    bundle: Bundle,
    of: tuple[str, int, nn.Module],
    way: Way,
    *,
    place: Path,
    samples: Samples,
) -> Graph:
    part, fold, network = of
    path = place / f"{part}-{fold}{GRAPH}"
    form_path = place / f"{part}-{fold}.form.json"
    if form_path.exists():
        form = Form.model_validate_json(form_path.read_text(encoding="utf-8"))
    else:
        form = _write(bundle, part, network, path)
        form_path.write_text(form.model_dump_json(), encoding="utf-8")
    if not _exact(way):
        return Graph(path, form, way)
    whole = place / f"{part}-{fold}-int8{GRAPH}"
    if not whole.exists():
        given = samples.get(part, {}).get(fold, [])
        if not given:
            raise UnwritableError("no study showed it anything, so its int8 cannot be calibrated")
        quantise(path, whole, [_arrays(form, one) for one in given])
    return Graph(whole, form, way)


def _write(bundle: Bundle, part: str, network: nn.Module, path: Path) -> Form:
    kind, _, name = part.partition("-")
    if kind == "locator":
        return write_locator(network, bundle.recipe.locators[name], path)
    member = bundle.recipe.members[name]
    if member.reads != "unit":
        raise UnwritableError("it reads whole studies, for which there is no graph yet")
    if any(name in one.identity().get("embeds", {}) for one in bundle.recipe.members.values()):
        raise UnwritableError("other members read its embeddings, which a graph does not give")
    return write_grader(network, view_shapes(member, bundle.recipe.views), path)


def _arrays(form: Form, asked: Any) -> dict[str, Any]:
    return form.given(as_arrays(asked))
