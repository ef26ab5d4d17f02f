"""Time the hot paths; print a table and write benchmarks/results.json."""

import json
import tempfile
from pathlib import Path

from benchmarks.paths import all_paths
from benchmarks.timing import machine


def main() -> None:
    """Run all paths in a temporary folder."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for row in all_paths(Path(folder) / "phantoms"):
            rows.append(row.to_json())
            beside = f"  {row.other}: {row.other_ms:.1f} ms" if row.other_ms is not None else ""
            print(f"{row.path}: {row.ours_ms:.1f} ms a {row.unit}{beside}", flush=True)
    results = {"machine": machine(), "rows": rows}
    Path(__file__).with_name("results.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
