"""What each stage of a run costs a study, with few and with many studies.

    python -m benchmarks.scale FOLDER 10 30 100 300

Forged studies are copied under other UIDs and run by the tiny recipe, one epoch, in one process
with one thread. Seconds are of the processor, which other programs disturb less.
"""

import json
import os
import resource
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

from benchmarks.memory import copy_studies, write_recipe
from overread.phantoms import forge_lumbar

FORGED = 10


def main(folder: Path, counts: list[int]) -> None:
    """Measure each number of studies in a process of its own; one JSON line each."""
    if not (folder / "forged").is_dir():
        forge_lumbar(folder / "forged", num_studies=FORGED, seed=1, workers=1)
    recipe = write_recipe(folder / "recipe.yaml")
    for count in counts:
        data, store = folder / f"{count}", folder / f"store{count}"
        if not data.is_dir():
            copy_studies(folder / "forged", data, count)
        spent = _measured("--one", str(recipe), str(data), str(store))
        bundle = folder / f"bundle{count}"
        common = ("--data", str(data), "--store", str(store), "--output", str(bundle))
        if not bundle.is_dir():
            _overread("bundle", str(recipe), *common)
        grading = [
            _overread("grade", str(bundle), str(path), "--output", str(folder / "grades.parquet"))
            for path in (_first(data), data / "train_images")
        ]
        cost = (grading[1]["cpu_s"] - grading[0]["cpu_s"]) / max(1, count - 1)
        line = {"studies": count, **spent, "grade": cost, "grade_peak_mib": grading[1]["peak_mib"]}
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


def _first(data: Path) -> Path:
    return sorted((data / "train_images").iterdir())[0]


def _measured(*arguments: str) -> dict[str, object]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "benchmarks.scale", *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)  # noqa: S603
    return dict(json.loads(done.stdout))


def _overread(*arguments: str) -> dict[str, float]:
    """Run a command; return the seconds of the processor, and its largest resident size."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "benchmarks.scale", "--cli", *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"cpu_s": spent, "peak_mib": float(done.stderr.split()[-1])}


def _cli(arguments: list[str]) -> None:
    """Be the command, then tell the largest anonymous memory of this process."""
    from overread.cli import app

    try:
        app(arguments)
    except SystemExit as end:
        if end.code:
            raise
    sys.stderr.write(f" {_peak_mib():.0f}")


def one(recipe: Path, data: Path, store: Path) -> None:
    """Run, and write what each stage cost."""
    from overread.pipeline import Store, read_recipe, run
    from overread.pipeline.run import Event

    spent: dict[str, float] = defaultdict(float)
    began = time.process_time()

    def listen(event: Event) -> None:
        nonlocal began
        if event.kind == "begin":
            began = time.process_time()
        elif event.kind == "end":
            spent[event.step.split("/")[0]] += time.process_time() - began

    before = time.process_time()
    ran = run(read_recipe(recipe), data, store, listen=listen)
    whole = time.process_time() - before
    size: dict[str, int] = defaultdict(int)
    files = 0
    for entry in Store(store).entries():
        files += len(entry.manifest.files)
        size[entry.manifest.stage] += sum(one["bytes"] for one in entry.manifest.files.values())
    peaks = {r.step.stage.name: r.peak_memory_mb for r in ran.results}
    found = {
        "cpu_s": {name: round(value, 3) for name, value in spent.items()},
        "between_s": round(whole - sum(spent.values()), 3),
        "bytes": size,
        "files": files,
        "peak_mb": peaks,
        "run_peak_mib": round(_peak_mib(), 1),
    }
    sys.stdout.write(json.dumps(found))


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    if sys.argv[1] == "--one":
        one(*map(Path, sys.argv[2:5]))
    elif sys.argv[1] == "--cli":
        _cli(sys.argv[2:])
    else:
        main(Path(sys.argv[1]), [int(count) for count in sys.argv[2:]])
