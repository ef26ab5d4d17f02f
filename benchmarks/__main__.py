"""Time the hot paths; write benchmarks/results.json and, where asked, the table of the README.

python -m benchmarks                    # all, each in a process of its own
python -m benchmarks headers decoding   # some
python -m benchmarks --write            # and the table of benchmarks/README.md
"""

import argparse
import importlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.table import table_of, write_table
from benchmarks.timing import machine

# Threads of each: where both sides do the same on one core, one tells more than two.
PATHS = {
    "headers": 1,
    "decoding": 1,
    "samples": 1,
    "steps": 2,
    "grade_many": 2,
    "stacking": 1,
    "memory": 1,
}
RESULTS = Path(__file__).with_name("results.json")
WHOLE: dict[str, dict[str, Any]] = {
    "grade_many": {"names": ()},
    "memory": {"counts": (10, 100, 1000)},
}
TINY: dict[str, dict[str, Any]] = {
    "headers": {"files": 200},
    "decoding": {"slices": 2},
    "samples": {"studies": 1, "repeats": 1},
    "steps": {
        "studies": 1,
        "turns": 1,
        "networks": {one: {"tf_efficientnet_lite0": (1, 32)} for one in ("cpu", "cuda")},
    },
    "grade_many": {"studies": 1, "names": ("tkmn_0123_f0",)},
    "stacking": {"slices": 5000, "part": 200},
    "memory": {"counts": (4, 6)},
}


def main() -> None:
    """Run the paths that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(PATHS)}; none = all")
    parser.add_argument("--whole", action="store_true", help="1,000 studies, all 52 networks")
    parser.add_argument("--tiny", action="store_true", help="a trial in a minute; ratios mean nil")
    parser.add_argument("--write", action="store_true", help="write the table of the README")
    parser.add_argument("--to", type=Path, help="run here, and write the rows to this file")
    asked = parser.parse_args()
    if unknown := [name for name in asked.names if name not in PATHS]:
        parser.error(f"found {unknown}, expected some of {', '.join(PATHS)}")
    sizes = WHOLE if asked.whole else TINY if asked.tiny else {}
    if asked.to is not None:
        asked.to.write_text(json.dumps(run_here(asked.names, sizes)))
        return
    kept = _kept() if asked.names else {}
    about = machine()
    for name in asked.names or PATHS:
        kept[name] = run_apart(name, [f"--{one}" for one in ("whole", "tiny") if vars(asked)[one]])
    rows = [row | {"script": name} for name in PATHS if name in kept for row in kept[name]]
    RESULTS.write_text(json.dumps({"machine": about, "rows": rows}, indent=1) + "\n")
    print(table_of(rows))
    if asked.write:
        write_table(rows, about)


def run_here(names: list[str], sizes: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Run paths in this process, each in a temporary folder."""
    found = []
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            script = importlib.import_module(f"benchmarks.{name}")
            for row in script.rows(Path(folder), **sizes.get(name, {})):
                found.append(row.to_json())
                ratio = f", {row.ratio:.2f} x {row.other}" if row.ratio else ""
                print(f"{row.path}: {row.ours:.3f} {row.measure} a {row.unit}{ratio}", flush=True)
    return found


def run_apart(name: str, options: list[str]) -> list[dict[str, Any]]:
    """Run one path in a process of its own, with its number of threads."""
    threads = str(PATHS[name])
    limits = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), threads)
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "rows.json"
        subprocess.run(  # noqa: S603 - a module of ours
            [sys.executable, "-m", "benchmarks", name, "--to", str(told), *options],
            env={**os.environ, **limits, "NO_ALBUMENTATIONS_UPDATE": "1"},
            check=True,
        )
        rows: list[dict[str, Any]] = json.loads(told.read_text())
        return rows


def _kept() -> dict[str, list[dict[str, Any]]]:
    """Return the rows of earlier runs, so that one path can be timed again by itself."""
    if not RESULTS.is_file():
        return {}
    kept: dict[str, list[dict[str, Any]]] = {}
    for row in json.loads(RESULTS.read_text())["rows"]:
        if "script" in row:
            kept.setdefault(row.pop("script"), []).append(row)
    return kept


if __name__ == "__main__":
    main()
