"""Time the hot paths; write benchmarks/results.json and, where asked, the table of the README.

python -m benchmarks                    # all, each in a process of its own
python -m benchmarks headers decoding   # some
python -m benchmarks --write            # and the table of benchmarks/README.md
python -m benchmarks --table            # the table alone, from results.json

A script that fails or takes too long loses its own rows only; the command then ends with an error.
"""

import argparse
import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
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
# Seconds after which a script is ended; what it told until then counts.
LIMIT, WHOLE_LIMIT = 600, 24 * 3600
ABOUT = ("when", "processor", "cores", "memory_gib", "load_before", "commit")
RESULTS = Path(__file__).with_name("results.json")
WHOLE: dict[str, dict[str, Any]] = {
    "grade_many": {"whole": True},
    "memory": {"counts": (10, 100, 1000), "patience": 1e6},
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
    "memory": {"counts": (4, 5)},
}


def main() -> None:
    """Run the paths that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(PATHS)}; none = all")
    parser.add_argument("--whole", action="store_true", help="1,000 studies, all 73 networks")
    parser.add_argument("--tiny", action="store_true", help="a trial in a minute; ratios mean nil")
    parser.add_argument("--write", action="store_true", help="write the table of the README")
    parser.add_argument("--table", action="store_true", help="write it from results.json, no more")
    parser.add_argument("--to", type=Path, help="run here, and write the rows to this file")
    asked = parser.parse_args()
    if unknown := [name for name in asked.names if name not in PATHS]:
        parser.error(f"found {unknown}, expected some of {', '.join(PATHS)}")
    sizes = WHOLE if asked.whole else TINY if asked.tiny else {}
    if asked.to is not None:
        run_here(asked.names, sizes, asked.to)
        return
    if asked.table:
        last = json.loads(RESULTS.read_text())
        write_table(last["rows"], last["machine"], last["failed"])
        return
    options = [f"--{one}" for one in ("whole", "tiny") if vars(asked)[one]]
    rows, about, failed = run_all(asked.names, options, WHOLE_LIMIT if asked.whole else LIMIT)
    print(table_of(rows))
    if asked.write:
        write_table(rows, about, failed)
    if failed:
        sys.exit("\n".join(f"{name} failed: {words}" for name, words in failed.items()))


def run_all(
    names: list[str], options: list[str], limit: float
) -> tuple[list[dict[str, Any]], dict[str, Any], dict[str, str]]:
    """Run scripts and write results.json after each; return rows, machine and {script: failure}.

    What a script told before it failed, and what others told, is kept.
    """
    kept = _kept() if names else {}
    about, failed = machine(), dict[str, str]()
    rows: list[dict[str, Any]] = []
    for name in names or PATHS:
        told = {one: value for one, value in machine().items() if one in ABOUT}
        found, failure = run_apart(name, options, limit)
        kept[name] = [row | {"script": name, "machine": told} for row in found]
        if failure:
            failed[name] = failure
        rows = [row for one in PATHS for row in kept.get(one, ())]
        result = {"machine": about, "rows": rows, "failed": failed}
        RESULTS.write_text(json.dumps(result, indent=1) + "\n")
    return rows, about, failed


def run_here(names: list[str], sizes: dict[str, dict[str, Any]], to: Path) -> None:
    """Run paths in this process, each in a temporary folder; write each row when it is there."""
    found: list[dict[str, Any]] = []
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            script = importlib.import_module(f"benchmarks.{name}")
            for row in script.rows(Path(folder), **sizes.get(name, {})):
                found.append(row.to_json())
                to.write_text(json.dumps(found))
                ratio = f", {row.ratio:.2f} x {row.other}" if row.ratio else ""
                print(f"{row.path}: {row.ours:.3f} {row.measure} a {row.unit}{ratio}", flush=True)


def run_apart(name: str, options: list[str], limit: float) -> tuple[list[dict[str, Any]], str]:
    """Run one path in a process of its own, with its number of threads.

    Returns:
        Its rows, and why it ended early; "" where it did not.
    """
    threads = str(PATHS[name])
    limits = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), threads)
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "rows.json"
        process = subprocess.Popen(  # noqa: S603 - a module of ours
            [sys.executable, "-m", "benchmarks", name, "--to", str(told), *options],
            env={**os.environ, **limits, "NO_ALBUMENTATIONS_UPDATE": "1", "TMPDIR": folder},
            start_new_session=True,
        )
        try:
            code = process.wait(limit)
            failure = f"it ended with {code}, see its messages" if code else ""
        except subprocess.TimeoutExpired:
            failure = f"it was ended after {limit:.0f} s"
        finally:
            with suppress(ProcessLookupError):  # and what it began
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        rows: list[dict[str, Any]] = json.loads(told.read_text()) if told.exists() else []
        return rows, failure


def _kept() -> dict[str, list[dict[str, Any]]]:
    """Return the rows of earlier runs, so that one path can be timed again by itself."""
    if not RESULTS.is_file():
        return {}
    kept: dict[str, list[dict[str, Any]]] = {}
    for row in json.loads(RESULTS.read_text())["rows"]:
        if {"script", "iqr"} <= row.keys():  # else of an earlier form
            kept.setdefault(row["script"], []).append(row)
    return kept


if __name__ == "__main__":
    main()
