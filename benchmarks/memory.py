"""Peak memory of `run` and `grade` with few and with many studies.

A tiny recipe of the two-stage lumbar system runs on forged studies, copied under other UIDs; the
command runs in a process of its own, and all its processes are watched. Pages of mapped files do
not count: the system takes them back when it needs them. A number of studies is left out, and said
to be, where the one before tells that it would take too long.
"""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pydicom
import yaml

from benchmarks.timing import Row, because
from overread.phantoms import forge_lumbar

__all__ = ["rows"]

FORGED = 10
COUNTS = (10, 30, 100, 300)
PATIENCE = 480.0  # seconds for all numbers of studies together, by the pace of those before
EVEN = 1.1
WHY = {
    "run": "the step that reads holds the headers of all studies, and those that teach a locator "
    "its inputs for all of them; docs/scale.md has the peak of each step",
    "grade": "the names of all files are held, and a table of Parquet is read whole to be written",
}
RECIPE = Path(__file__).parents[1] / "recipes" / "tiny" / "lumbar_two_stage.yaml"
TABLES = ("train.csv", "train_label_coordinates.csv", "train_series_descriptions.csv")
UIDS = ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "PatientID")


def rows(
    folder: Path, *, counts: Sequence[int] = COUNTS, patience: float = PATIENCE
) -> Iterator[Row]:
    """Yield the row of `run` and that of `grade`."""
    forged = min(FORGED, max(counts))
    forge_lumbar(folder / "forged", num_studies=forged, seed=1, workers=1)
    recipe = write_recipe(folder / "recipe.yaml")
    bundle = folder / "bundle"
    peaks: dict[str, dict[int, float]] = {"run": {}, "grade": {}}
    start, left_out, pace = time.monotonic(), list[int](), 0.0
    for count in sorted(counts):
        began = time.monotonic()
        if peaks["run"] and began - start + count * pace > patience and len(peaks["run"]) > 1:
            left_out.append(count)
            continue
        data, store = folder / f"{count}", folder / f"store{count}"
        copy_studies(folder / "forged", data, count)
        common = [str(recipe), "--data", str(data), "--store", str(store)]
        peaks["run"][count] = peak_mib("run", *common, "--workers", "1")
        if not bundle.exists():
            peak_mib("bundle", *common, "--output", str(bundle))
        output = str(folder / f"grades{count}.parquet")
        images = str(data / "train_images")
        peaks["grade"][count] = peak_mib("grade", str(bundle), images, "--output", output)
        pace = (time.monotonic() - began) / count
    without = f"; {left_out} studies were left out: they would take too long" if left_out else ""
    for command, found in peaks.items():
        few, many = min(found), max(found)
        row = Row(
            f"peak memory of `{command}`, {many} studies against {few}",
            "all processes",
            found[many],
            f"{few} studies",
            found[few],
            EVEN,
            measure="MiB",
            limit=True,
            others={f"{count} studies": peak for count, peak in found.items()},
            note="anonymous pages of all processes of the command, sampled 20 times a second; "
            + ", ".join(f"{count} studies {peak:.0f} MiB" for count, peak in found.items())
            + without,
        )
        yield because(row, WHY.get(command, ""))


def write_recipe(path: Path) -> Path:
    """Write the tiny recipe without forging, and with one epoch everywhere."""
    recipe = yaml.safe_load(RECIPE.read_text())
    del recipe["dataset"]["forge"]
    for part in (*recipe["keypoints"].values(), recipe["defaults"]):
        part["fit"]["epochs"] = 1
    path.write_text(yaml.safe_dump(recipe))
    return path


def copy_studies(source: Path, target: Path, count: int) -> None:
    """Write `count` studies: the forged ones again and again, as other patients."""
    folders = sorted((source / "train_images").iterdir())
    names = [(folders[i % len(folders)], i // len(folders)) for i in range(count)]
    for folder, copy in names:
        for path in sorted(folder.rglob("*.dcm")):
            place = target / "train_images" / _name(folder.name, copy) / path.parent.name
            place.mkdir(parents=True, exist_ok=True)
            (place / path.name).write_bytes(_renamed(path, copy))
    for table in TABLES:
        head, *lines = (source / table).read_text().splitlines()
        by_study: dict[str, list[str]] = {folder.name: [] for folder in folders}
        for line in lines:
            study, _, rest = line.partition(",")
            by_study[study].append(rest)
        copied = [
            f"{_name(folder.name, copy)},{rest}"
            for folder, copy in names
            for rest in by_study[folder.name]
        ]
        (target / table).write_text("\n".join([head, *copied]) + "\n")


def _name(study: str, copy: int) -> str:
    return str(int(study) + copy * 10_000_000_000) if copy else study


def _renamed(path: Path, copy: int) -> bytes:
    """Return the bytes of a file as another patient's, of the same length."""
    data = path.read_bytes()
    if not copy:
        return data
    dataset = pydicom.dcmread(path, stop_before_pixels=True)
    head, rest = data[:4096], data[4096:]
    for keyword in UIDS:
        value = str(dataset[keyword].value).encode()
        other = value[:-5] + b"%05d" % ((int(value[-5:]) + 7 * copy) % 100_000)
        head = head.replace(value, other)
    return head + rest


def peak_mib(*words: str) -> float:
    """Run a command of ours; return the peak of what all its processes hold."""
    process = subprocess.Popen(  # noqa: S603 - a command of ours
        [sys.executable, "-m", "overread", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    peak = _Peak(process.pid)
    peak.start()
    _, told = process.communicate()
    peak.ended.set()
    peak.join()
    if process.returncode:
        raise RuntimeError(f"overread {' '.join(words)} ended with {process.returncode}: {told}")
    return peak.largest / 1024


class _Peak(threading.Thread):
    """Watches a process and its children."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid = pid
        self.largest = 0
        self.ended = threading.Event()

    def run(self) -> None:
        """Sample until told to end."""
        while not self.ended.is_set():
            self.largest = max(self.largest, sum(map(_anonymous_kib, _family(self.pid))))
            time.sleep(0.05)


def _family(pid: int) -> list[int]:
    """Return a process and everything that it began."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [one for child in task.read_text().split() for one in _family(int(child))]
        except OSError:
            continue
    return found


def _anonymous_kib(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith(("RssAnon", "RssShmem")))
