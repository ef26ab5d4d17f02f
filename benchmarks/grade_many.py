"""Grade one study with many networks, beside a plain loop over them; results are compared first.

`python -m benchmarks.grade_many --help`. Networks have random weights, which cost the same as
trained ones; points that random networks find are compared and dropped, and the phantom's own taken
on, so that every crop shows what it should. Ours decodes a study once, cuts each distinct view once
and encodes each distinct slice once; the plain loop decodes, draws or cuts, and predicts network by
network, and runs the axial flip as a second whole pass. `--all` takes about an
hour on two cores; it says on stderr how far it is, and `--bundle` keeps its weights for next time.
"""

import argparse
import importlib
import json
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch

from benchmarks.timing import Row, because, machine, profile_of, row_of
from overread.datasets import rsna2024_lumbar
from overread.inference import (
    Bundle,
    GradeSpec,
    cut_study,
    decode_study,
    grade_each,
    order_locators,
    study_units,
)
from overread.inference.examples import member_examples
from overread.inference.importing.checkpoints import LazyState
from overread.inference.importing.lumbar_3rd_settings import (
    GRADERS,
    LOCATORS,
    Spec,
    bundle_recipe,
    locator_spec,
)
from overread.inference.locator_networks import locator_network
from overread.inference.member import member_network
from overread.models import use_threads
from overread.phantoms import forge_lumbar

__all__ = ["main", "rows"]

SMALL = ("tkmn_0203_f1", "tkmn_S0202_f2", "tkmn_0123_f0", "tkmn_S0204_f2")
# The package shows the functions of these names.
GRADING = importlib.import_module("overread.inference.grade")
LOCATING = importlib.import_module("overread.inference.locate")
OPENING = importlib.import_module("overread.inference.opening")
CUTTING = importlib.import_module("overread.inference.cuts")
OWN = ("spinal", "sides")
TOLERANCE = 1e-5
TARGET = 4.0
WHY = "the fewer networks, the less there is to share: decoding, crops and slices"
WHY_ALL = (
    "the networks themselves take nearly all of the time, and each must see every slice that "
    "differs; what is shared is decoding, cutting, repeated slots and what a flip leaves as it was"
)


def write_bundle(folder: Path, names: tuple[str, ...]) -> None:
    """Write a bundle of the published system with random weights; `names` are graders, none = all.

    All graders come with all locators, some with one of each.
    """
    rubric = rsna2024_lumbar.rubric(rsna2024_lumbar.Spec())
    kept = [
        one for one in GRADERS if not names or {one.name(fold) for fold in one.folds} & {*names}
    ]
    recipe = bundle_recipe(Spec(), kept, LOCATORS)
    members = {
        name: member for name, member in recipe.members.items() if not names or name in names
    }
    ensembles = {
        name: spec.model_copy(update={"of": tuple(p for p in spec.of if p in members or p in OWN)})
        for name, spec in recipe.ensembles.items()
    }
    ensembles = {name: spec for name, spec in ensembles.items() if spec.of}
    final = ensembles["final"]
    ensembles["final"] = final.model_copy(
        update={"of": tuple(part for part in final.of if part in ensembles)}
    )
    recipe = recipe.model_copy(update={"members": members, "ensembles": ensembles})
    states = {
        name: {0: LazyState(partial(_random, member, recipe.views, rubric, seed=number))}
        for number, (name, member) in enumerate(members.items())
    }
    locators = {
        name: {
            number: LazyState(partial(_random_locator, locator_spec(Spec(), name, rows), number))
            for number, _ in enumerate(rows[:1] if names else rows)
        }
        for name, rows in LOCATORS.items()
    }
    Bundle(recipe, rubric, locators, states).save(folder)


def _random(member: Any, views: Any, rubric: Any, *, seed: int) -> dict[str, torch.Tensor]:
    return member_network(member, views, rubric, seed=seed).state_dict()


def _random_locator(spec: Any, seed: int) -> dict[str, torch.Tensor]:
    return locator_network(spec, seed=seed).state_dict()


def plain_points(bundle: Bundle, study: Any, points: dict[str, Any]) -> None:
    """Look for points, each network by itself, nothing shared."""
    for name in order_locators(bundle.recipe.locators):
        for network in bundle.locator_networks(name):
            pixels, _ = decode_study(study)
            LOCATING.locate([network], bundle.recipe.locators[name], pixels, points)
        say(f"by itself: {name}")


def known_points(bundle: Bundle, points: dict[str, Any]) -> Any:
    """Return a `locate` that does its work and answers with known points."""
    names = {id(spec): name for name, spec in bundle.recipe.locators.items()}

    def located(networks: Any, spec: Any, pixels: Any, found: Any, *, fold: Any = None) -> Any:
        LOCATING.locate(networks, spec, pixels, found, fold=fold)
        return points[names[id(spec)]]

    return located


@contextmanager
def counted(rows: dict[str, Any], side: str) -> Iterator[None]:
    """Note how often the same file is decoded and the same crop is cut, at most."""
    real_decode, real_cut = OPENING.decode, CUTTING.cut
    files: Counter[Path] = Counter()
    crops: Counter[tuple[Any, str | None]] = Counter()

    def decode(stack: Any) -> Any:
        files.update({frame.path for frame in stack.frames})
        return real_decode(stack)

    def cut(view: Any, pixels: Any, keypoints: Any, site: str | None) -> Any:
        crops[view, site] += 1
        return real_cut(view, pixels, keypoints, site)

    with mock.patch.object(OPENING, "decode", decode), mock.patch.object(CUTTING, "cut", cut):
        yield
    for name, times in (("files", files), ("crops", crops)):
        rows[f"{side}_{name}"] = len(times)
        rows[f"{side}_{name}_most_often"] = max(times.values())


@contextmanager
def peaked(rows: dict[str, Any], side: str) -> Iterator[None]:
    """Note the most memory that the process held meanwhile; Linux only, elsewhere nothing."""
    forget, status = Path("/proc/self/clear_refs"), Path("/proc/self/status")
    if forget.exists():
        forget.write_text("5")
    yield
    if status.exists():
        found = dict(line.split(":", 1) for line in status.read_text().splitlines())
        peak = int(found["VmHWM"].split()[0]) // 1024
        rows[f"{side}_peak_mb"] = max(peak, rows.get(f"{side}_peak_mb", 0))


def say(what: str) -> None:
    """Say how far a long run is."""
    print(f"{time.strftime('%H:%M:%S')} {what}", file=sys.stderr, flush=True)


@contextmanager
def noted_maps() -> Iterator[dict[str, list[np.ndarray]]]:
    """Note the maps of every call of `locate`, by what its locator looks around."""
    real, noted = LOCATING._maps, defaultdict(list)  # noqa: SLF001 - what `locate` averages

    def maps(networks: Any, spec: Any, inputs: Any) -> Any:
        noted[spec.around].append(found := real(networks, spec, inputs))
        return found

    with mock.patch.object(LOCATING, "_maps", maps):
        yield noted


def plain_loop(bundle: Bundle, study: Any, points: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return {member: answers}: each member by itself, nothing shared."""
    everything = lambda images: (images, torch.arange(len(images)))  # noqa: E731
    found = {}
    for name, member in bundle.recipe.members.items():
        pixels, _ = decode_study(study)
        units = study_units(bundle.rubric, study.id)
        views = bundle.recipe.views
        cuts = {v: [cut_study(views[v], pixels, points, units)[0]] for v in member.views}
        examples = member_examples(member, views, bundle.rubric, cuts)
        network = bundle.member_networks(name)[0]
        module = sys.modules[type(network).__module__]
        with mock.patch.object(module, "without_repetitions", everything):
            found[name] = _answers(network, examples)
        say(f"by itself: {name}")
    return found


def _answers(network: torch.nn.Module, examples: Any) -> dict[str, Any]:
    """Return {head: mean logits}, straight and flipped, or {left and right: logits}."""
    ways = [examples]
    if examples.member.flip:
        ways.append(examples.with_columns_reversed())
    if examples.member.mirror == "shared":
        ways.append(examples.mirrored())
    logits = []
    for way in ways:
        batch = way.batch(range(len(way)), generator=None)
        with torch.inference_mode():
            logits.append({k: v for k, v in network(batch).items() if k.startswith("logits.")})
    if examples.member.flip:
        return {name[7:]: (one + logits[1][name]) / 2 for name, one in logits[0].items()}
    left = {name[7:]: value for name, value in logits[0].items()}
    if examples.member.mirror != "shared":
        return left
    partner = examples.rubric.partner
    return left | {partner(name[7:]): value for name, value in logits[1].items()}


def joined(bundle: Bundle, answers: dict[str, dict[str, Any]]) -> dict[str, np.ndarray]:
    """Return {target: (units, grades)}: softened, averaged over the members of its ensemble."""
    found = {}
    for name in OWN:
        ensemble = bundle.recipe.ensembles.get(name)
        for target in () if ensemble is None else ensemble.targets or ():
            chances = [
                torch.softmax(answers[member][target].double() / ensemble.temperature, -1)
                for member in ensemble.of
            ]
            found[target] = torch.stack(chances).mean(0).numpy()
    return found


def compare(
    folder: Path, names: tuple[str, ...], studies: int, *, kept: Path | None = None
) -> dict[str, Any]:
    """Time both ways study by study; return seconds, peaks, counts and the greatest differences.

    Results of an hour are kept even where answers differ: `agreed` judges them.
    """
    forge_lumbar(folder / "phantoms", num_studies=studies, seed=1, workers=1)
    weights = kept or folder / "bundle"
    if not (weights / "bundle.json").exists():
        write_bundle(weights, names)
    say("the weights are written")
    dataset = rsna2024_lumbar.read(rsna2024_lumbar.Spec(), folder / "phantoms")
    start = time.perf_counter()
    bundle = Bundle.load(weights)
    for name in bundle.recipe.members:
        bundle.member_networks(name)
    for name in bundle.recipe.locators:
        bundle.locator_networks(name)
    rows: dict[str, Any] = {"load_s": time.perf_counter() - start}
    rows |= {name: [] for name in ("ours_s", "ours_cpu_s", "plain_s", "plain_cpu_s")}
    for study in dataset.studies:
        points = {name: dataset.keypoints[name][study.id] for name in LOCATORS}
        known = mock.patch.object(GRADING, "locate", known_points(bundle, points))
        grade = partial(grade_each, bundle, study, GradeSpec(unseen="answer"))
        with noted_maps() as ours, known, timed(rows, "ours"), counted(rows, "ours"):
            graded, told = (grade(), "") if names else profiled(grade)  # all: once is enough
        say(f"together: {rows}")
        with noted_maps() as theirs, timed(rows, "plain"), counted(rows, "plain"):
            plain_points(bundle, study, points)
            plain = joined(bundle, plain_loop(bundle, study, points))
        say(f"one by one: {rows}")
        if ours.keys() != theirs.keys() or len(ours) != len(LOCATORS):
            raise ValueError(f"found maps of {[*ours]} and {[*theirs]}, expected of {[*LOCATORS]}")
        gaps = {
            "maps": max(np.abs(ours[key][0] - np.mean(theirs[key], axis=0)).max() for key in ours),
            "answers": _difference(bundle, graded.predictions, plain),
        }
        for name, gap in gaps.items():
            rows[f"{name}_differ_by"] = max(rows.get(f"{name}_differ_by", 0.0), float(gap))
    if sum(rows["plain_s"]) < TARGET * sum(rows["ours_s"]):
        with mock.patch.object(GRADING, "locate", known_points(bundle, points)):
            rows["profile"] = told or profiled(grade)[1]
    return rows


def profiled(grade: Callable[[], Any]) -> tuple[Any, str]:
    """Return what a call returns, and where its time went."""
    found: list[Any] = []
    words = profile_of(lambda: found.append(grade()))
    return found[0], words


def agreed(found: dict[str, Any]) -> str:
    """Return by how much both ways differ, in words; raise where it is more than rounding."""
    words = (
        f"maps agree to {found['maps_differ_by']:.1e}, grades to {found['answers_differ_by']:.1e}"
    )
    if max(found["maps_differ_by"], found["answers_differ_by"]) > TOLERANCE:
        raise ValueError(f"{words}, expected {TOLERANCE:.0e} at most; {found}")
    return words


@contextmanager
def timed(rows: dict[str, Any], name: str) -> Iterator[None]:
    """Note seconds by the wall and of the processor, for machines that others use too."""
    wall, work = time.perf_counter(), time.process_time()
    with peaked(rows, name):
        yield
    rows[f"{name}_s"].append(time.perf_counter() - wall)
    rows[f"{name}_cpu_s"].append(time.process_time() - work)


def _difference(bundle: Bundle, found: Any, plain: dict[str, np.ndarray]) -> float:
    table = {(r["unit"], r["target"]): r["probabilities"] for r in found.frame.to_dicts()}
    study = next(iter(table))[0].rpartition("@")[0]
    units = [unit for unit, _ in study_units(bundle.rubric, study)]
    gaps = [
        np.abs(np.array(table[unit, target]) - values[row]).max()
        for target, values in plain.items()
        for row, unit in enumerate(units)
    ]
    if len(gaps) != len(table):
        raise ValueError(f"{len(gaps)} of {len(table)} answers compared")
    return float(max(gaps))


def rows(
    folder: Path, *, names: tuple[str, ...] = SMALL, studies: int = 2, whole: bool = False
) -> Iterator[Row]:
    """Yield the row of some members and, where the whole is asked for, that of all networks."""
    yield _row(names, compare(folder / "some", names, studies))
    if whole:
        yield _row((), compare(folder / "all", (), studies=1))


def _row(names: tuple[str, ...], found: dict[str, Any]) -> Row:
    sides = {"": "ours", "model by model": "plain"}
    walls, works = (
        {name: [one * 1e3 for one in found[f"{side}_{kind}"]] for name, side in sides.items()}
        for kind in ("s", "cpu_s")
    )
    told = [agreed(found)] + [
        f"{what} {' and '.join(str(found.get(f'{side}_{key}', '?')) for side in sides.values())}"
        for what, key in (
            ("peaks in MiB", "peak_mb"),
            ("a file decoded at most", "files_most_often"),
            ("a crop cut at most", "crops_most_often"),
        )
    ]
    row = row_of(
        f"a study graded by {len(names) + 2 if names else 73} networks of the lumbar 3rd place",
        "study",
        walls,
        works=works,
        target=TARGET,
        note="; ".join(told),
    )
    return because(replace(row, profile=found.get("profile", "")), WHY if names else WHY_ALL)


def main() -> None:
    """Run and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", action="store_true", help="all 73 networks (18 GB of weights)")
    parser.add_argument("--member", action="append", help="such as tkmn_0203_f1; repeatable")
    parser.add_argument("--studies", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--bundle", type=Path, help="folder that keeps the weights of --all")
    options = parser.parse_args()
    if options.bundle and not options.all:
        parser.error("--bundle keeps the weights of all networks: give --all too")
    use_threads(options.threads)
    names = () if options.all else tuple(options.member or SMALL)
    with tempfile.TemporaryDirectory() as folder:
        rows = compare(Path(folder), names, options.studies, kept=options.bundle)
    rows["networks"] = len(names) + 2 if names else 73
    for kind in ("s", "cpu_s"):
        middle = [float(np.median(rows[f"{name}_{kind}"])) for name in ("plain", "ours")]
        rows[f"ratio_{kind}"] = middle[0] / middle[1]
    print(json.dumps({"machine": machine(), **rows}, indent=1))
    agreed(rows)


if __name__ == "__main__":
    main()
