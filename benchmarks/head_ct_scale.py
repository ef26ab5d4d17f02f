"""Head CT at the size of the challenge: index, order and fold 750,000 slices, and stack on them.

    python -m benchmarks.head_ct_scale index      # header rows to folds
    python -m benchmarks.head_ct_scale features   # ours beside pandas, on a part
    python -m benchmarks.head_ct_scale fit        # features and LightGBM of one label
    python -m benchmarks.head_ct_scale stack      # features of six labels, pandas, and a fit

Real header rows are multiplied: more scans of the same statistics. Each prints a line of JSON.
"""

import argparse
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import polars as pl

from benchmarks.timing import machine
from overread.datasets import rsna2019_head_ct as heads
from overread.datasets.dataset import read_table
from overread.datasets.head_ct_headers import index_headers
from overread.datasets.head_ct_tables import BLEEDS, TARGETS, labels_of
from overread.ensembling.neighbours import NeighbourRows, neighbour_features, scan_order
from overread.learning import FoldSpec, make_folds

DATA = Path(os.environ.get("OVERREAD_DATA", Path(__file__).parents[1] / "../shared/data"))
HEADERS = DATA / "head_ct/rsna2019_labels/stage1_test_dicom_metadata_300studies.csv.gz"
IDS = ("SOPInstanceUID", "PatientID", "StudyInstanceUID", "SeriesInstanceUID")
# Shares of slices with each bleed among the 674,258 of stage 1.
SHARES = dict(zip(BLEEDS, (0.0041, 0.0483, 0.0352, 0.0476, 0.0630), strict=True))
RUN = 0.35  # of a scan that bleeds, about so much shows blood
STREAMS, REACH = 10, 20
# As the 3rd place of RSNA 2019 has them.
TREES = {
    "objective": "binary",
    "learning_rate": 0.02,
    "num_leaves": 15,
    "max_depth": 7,
    "bagging_fraction": 0.9,
    "bagging_freq": 1,
    "feature_fraction": 0.8,
    "lambda_l1": 0.1,
    "lambda_l2": 0.1,
    "min_gain_to_split": 0.02,
    "num_threads": int(os.environ.get("OMP_NUM_THREADS", "2")),
    "seed": 0,
    "verbose": -1,
}


def multiply_headers(frame: pl.DataFrame, count: int) -> pl.DataFrame:
    """Return `count` header rows: the scans again and again, as other patients, rows shuffled."""
    copies = -(-count // len(frame))
    parts = [
        frame.with_columns((pl.col(IDS) + f"-{copy}") if copy else pl.col(IDS))
        for copy in range(copies)
    ]
    return pl.concat(parts).head(count).sample(fraction=1, shuffle=True, seed=0)


def draw_labels(slices: pl.DataFrame, seed: int = 0) -> pl.DataFrame:
    """Return unit, target, value: runs of blood in some scans, as often as in the challenge."""
    rng = np.random.default_rng(seed)
    order, scan = scan_order(slices)
    starts = np.flatnonzero(np.diff(scan, prepend=-1))
    lengths = np.diff(np.append(starts, len(scan)))
    place = (np.arange(len(scan)) - np.repeat(starts, lengths)) / np.repeat(lengths, lengths)
    table = {"unit": slices["unit"].gather(order)}
    for name, share in SHARES.items():
        first = np.where(rng.random(len(starts)) < share / RUN, rng.uniform(0, 1 - RUN), np.inf)
        since = place - np.repeat(first, lengths)
        table[name] = pl.Series(((since >= 0) & (since < RUN)).astype(np.int8))
    wide = pl.DataFrame(table).with_columns(any=pl.max_horizontal(BLEEDS))
    return wide.unpivot(list(TARGETS), index="unit", variable_name="target", value_name="value")


def draw_streams(truth: np.ndarray, seed: int = 0) -> np.ndarray:
    """Return (n, STREAMS) probabilities that know something of the truth, the blend first."""
    rng = np.random.default_rng(seed)
    shared = rng.standard_normal((len(truth), 1), dtype=np.float32)
    own = rng.standard_normal((len(truth), STREAMS - 1), dtype=np.float32)
    logits = -4 + 5 * truth[:, None].astype(np.float32) + 1.5 * shared + own
    chances = 1 / (1 + np.exp(-logits))
    return np.concatenate([chances.mean(axis=1, keepdims=True), chances], axis=1)


class Clock:
    """Wall and processor seconds of named parts, and the peak of memory."""

    def __init__(self) -> None:
        self.parts: dict[str, dict[str, float]] = {}

    def time(self, name: str, work: Callable[[], Any]) -> Any:
        """Run and time one part, and tell of it at once."""
        wall, busy = time.perf_counter(), time.process_time()
        result = work()
        self.parts[name] = {
            "wall_s": round(time.perf_counter() - wall, 2),
            "cpu_s": round(time.process_time() - busy, 2),
            "peak_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
        }
        sys.stderr.write(f"{name}: {json.dumps(self.parts[name])}\n")
        return result

    def told(self, **more: Any) -> str:
        """Return the line of JSON."""
        total = {
            key: round(sum(part[key] for part in self.parts.values()), 2)
            for key in ("wall_s", "cpu_s")
        }
        return json.dumps({"machine": machine(), **more, "parts": self.parts, "total": total})


def indexed(rows: int, clock: Clock) -> pl.DataFrame:
    """Multiply and index header rows."""
    real = read_table(HEADERS, IDS)
    frame = multiply_headers(real, rows)
    placed, _ = clock.time("index and order", lambda: index_headers(frame))
    return placed


def run_index(rows: int) -> str:
    """Header rows to slices in order, labels, and folds of patients."""
    clock = Clock()
    slices = indexed(rows, clock)
    values = draw_labels(slices)
    labels = clock.time("labels", lambda: labels_of(values, slices))
    rubric = heads.rubric(heads.Spec())
    folds = clock.time("fold", lambda: make_folds(labels, rubric, FoldSpec(count=5, seed=0)))
    sizes = folds.frame["fold"].value_counts().sort("fold")["count"].to_list()
    return clock.told(rows=len(slices), scans=slices["series"].n_unique(), patients=sizes)


def by_row(values: np.ndarray, scan: np.ndarray, rows: int) -> np.ndarray:
    """The plain way in pandas: each slice looks its neighbours up in its scan, row by row."""
    import pandas as pd

    frame = pd.DataFrame(values)
    frame["scan"] = scan
    found = []
    for _, part in frame.groupby("scan", sort=False):
        streams = part.drop(columns="scan")
        for here in range(len(streams)):
            row = [streams.iloc[here, 0]]
            for step in (*range(-1, -REACH - 1, -1), *range(1, REACH + 1)):
                inside = 0 <= here + step < len(streams)
                row += list(streams.iloc[here + step] if inside else [np.nan] * STREAMS)
            found.append(row)
            if len(found) == rows:
                return np.array(found)
    return np.array(found)


def run_features(rows: int, part: int) -> str:
    """All features of one label in pieces, and the first of them beside pandas."""
    clock = Clock()
    slices = indexed(rows, clock)
    order, scan = scan_order(slices)
    truth = np.random.default_rng(1).random(len(scan)) < SHARES["subdural"]
    values = draw_streams(truth[order]).astype(np.float64)
    expected = clock.time(f"pandas, row by row, {part} slices", lambda: by_row(values, scan, part))
    cut = int(np.searchsorted(scan, scan[part - 1], side="right"))
    ours = clock.time(
        f"ours, {part} slices", lambda: neighbour_features(values[:cut], scan[:cut], reach=REACH)
    )
    equal = bool(np.array_equal(expected, ours[:part], equal_nan=True))
    pieces = NeighbourRows(values.astype(np.float32), scan, REACH)

    def walk() -> None:
        for start in range(0, len(pieces), 65_536):
            pieces.rows(start, min(start + 65_536, len(pieces)))

    clock.time(f"ours, {len(pieces)} slices in pieces", walk)
    return clock.told(rows=len(pieces), width=pieces.width, equal=equal)


class Rows(lightgbm.Sequence):
    """Features in pieces of 65,536 slices, made when LightGBM asks for them."""

    batch_size = 65_536

    def __init__(self, rows: NeighbourRows) -> None:
        self.rows = rows
        self.block: tuple[int, Any] = (-1, None)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> np.ndarray:
        if isinstance(index, slice):
            return self.rows.rows(*index.indices(len(self.rows))[:2]).astype(np.float64)
        if isinstance(index, (int, np.integer)):
            return self.alone(int(index))
        return np.concatenate([self.rows.rows(int(i), int(i) + 1) for i in index]).astype(float)

    def alone(self, index: int) -> np.ndarray:
        """Return one row: LightGBM asks for a sample, one by one, in rising order."""
        number, size = index // 4096, 4096
        if self.block[0] != number:
            made = self.rows.rows(number * size, min((number + 1) * size, len(self)))
            self.block = (number, made.astype(np.float64))
        return self.block[1][index - number * size]


def run_fit(rows: int, rounds: int) -> str:
    """Features of one label, read by LightGBM in pieces, and its fit."""
    clock = Clock()
    slices = indexed(rows, clock)
    order, scan = scan_order(slices)
    truth = _truth_of(slices, order, draw_labels(slices), "subdural")
    loss, blend = _fitted(clock, draw_streams(truth), (scan, truth), rounds)
    return clock.told(rows=len(truth), loss=loss, blend=blend)


def run_stack(rows: int, part: int, rounds: int) -> str:
    """Features of all six labels in pieces, a part of them beside pandas, and one label's fit."""
    clock = Clock()
    slices = indexed(rows, clock)
    order, scan = scan_order(slices)
    known = draw_labels(slices)
    streams = {
        name: draw_streams(_truth_of(slices, order, known, name), seed=number)
        for number, name in enumerate(TARGETS)
    }

    def walk() -> None:
        for values in streams.values():
            pieces = NeighbourRows(values, scan, REACH)
            for start in range(0, len(pieces), 65_536):
                pieces.rows(start, min(start + 65_536, len(pieces)))

    clock.time(f"features of {len(streams)} labels, in pieces", walk)
    values = streams["subdural"]
    expected = clock.time(f"pandas, row by row, {part} slices", lambda: by_row(values, scan, part))
    cut = int(np.searchsorted(scan, scan[part - 1], side="right"))
    ours = clock.time(
        f"ours, {part} slices", lambda: neighbour_features(values[:cut], scan[:cut], reach=REACH)
    )
    equal = bool(np.array_equal(expected, ours[:part], equal_nan=True))
    truth = _truth_of(slices, order, known, "subdural")
    loss, blend = _fitted(clock, values, (scan, truth), rounds)
    return clock.told(rows=len(truth), width=ours.shape[1], equal=equal, loss=loss, blend=blend)


def _truth_of(slices: pl.DataFrame, order: np.ndarray, known: pl.DataFrame, name: str) -> Any:
    """Return (n,) 0 or 1, in the order of scans."""
    wide = known.filter(pl.col("target") == name)
    rows = slices.select("unit")[order].join(wide, on="unit", how="left", maintain_order="left")
    return rows["value"].to_numpy()


def _fitted(clock: Clock, values: Any, known: tuple[Any, Any], rounds: int) -> tuple[float, float]:
    """Fit one label, telling time as it goes; return its loss and the blend's on 50,000 slices."""
    scan, truth = known
    features = Rows(NeighbourRows(values, scan, REACH))
    data = lightgbm.Dataset(features, label=truth, params=TREES)
    clock.time("bins from pieces", data.construct)
    started = time.perf_counter()

    def tell(state: Any) -> None:
        if (state.iteration + 1) % 100 == 0:
            spent = time.perf_counter() - started
            sys.stderr.write(f"{state.iteration + 1} rounds in {spent:.0f} s\n")

    booster = clock.time(
        f"{rounds} rounds", lambda: lightgbm.train(TREES, data, rounds, callbacks=[tell])
    )
    sample = slice(0, min(len(truth), 50_000))
    said = np.clip(booster.predict(features[sample]), 1e-6, 1 - 1e-6)
    blend = features.rows.values[sample, 0]
    losses = [
        -np.mean(np.where(truth[sample], np.log(one), np.log1p(-one))) for one in (said, blend)
    ]
    return round(float(losses[0]), 5), round(float(losses[1]), 5)


def main() -> None:
    """Run one of the four."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["index", "features", "fit", "stack"])
    parser.add_argument("--rows", type=int, default=750_000)
    parser.add_argument("--part", type=int, default=2_000, help="slices beside pandas")
    parser.add_argument("--rounds", type=int, default=100)
    asked = parser.parse_args()
    if not HEADERS.is_file():
        parser.error(f"{HEADERS}: found no such file; name the data folder in OVERREAD_DATA")
    if asked.what == "index":
        print(run_index(asked.rows))
    elif asked.what == "features":
        print(run_features(asked.rows, asked.part))
    elif asked.what == "fit":
        print(run_fit(asked.rows, asked.rounds))
    else:
        print(run_stack(asked.rows, asked.part, asked.rounds))


if __name__ == "__main__":
    main()
