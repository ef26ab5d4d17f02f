"""A cluster of two nodes makes what one process makes, whoever of it dies."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
import yaml
from fake_stages import MOURNING, SLOW, ignore, number
from ray_stages import fatal, together
from tiny_runs import forge, write_recipe

from overread.models import use_threads
from overread.pipeline import Recipe, read_recipe, run
from overread.pipeline.run import Event, RunError, StepResult, run_steps
from overread.pipeline.step import Context, Needs, Step
from overread.pipeline.store import Store

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        find_spec("ray") is None, reason="ray is not installed: pip install 'overread[ray]'"
    ),
    # Ray leaves the processes of its local cluster to themselves.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]

HERE = Path(__file__).parent
PATIENCE_S = 180
DRIVER = """
import sys; sys.path.insert(0, sys.argv[1])
from pathlib import Path
from fake_stages import SLOW, ignore, number
from overread.pipeline.run import run_steps
from overread.pipeline.step import Context
from overread.pipeline.store import Store
if __name__ == "__main__":
    goals = [number(f"s{i}", 40 + i, stage=SLOW) for i in range(4)]
    context = Context(ray=sys.argv[3])
    results = run_steps(goals, Store(Path(sys.argv[2])), context, listen=ignore)
    sys.stdout.write(" ".join(r.state for r in results))
"""


def test_no_cluster_is_told_in_one_line(tmp_path) -> None:
    """With what an address looks like."""
    with pytest.raises(RunError, match=r"--ray nobody: .*10\.0\.0\.5:6379"):
        _run(Store(tmp_path), "nobody", number("x", 1))


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """Two nodes of one core each on this machine, and this process as a driver; the address."""
    import ray
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "object_store_memory": 100 << 20, "include_log_monitor": False}
    head = {"include_dashboard": False, "no_monitor": True}
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory(prefix="ray-") as folder:
        patch.setenv("RAY_TMPDIR", folder)
        patch.setenv("PYTHONPATH", str(HERE))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_memory_monitor_refresh_ms", "0")
        # Else workers give way to all other programs of a machine, so much that nothing ends.
        patch.setenv("RAY_worker_niceness", str(os.nice(0)))
        _be_patient(patch)
        made = Cluster(initialize_head=True, head_node_args=node | head)
        made.add_node(**node)
        ray.init(made.address, log_to_driver=False, logging_level="ERROR")
        yield made.address
        ray.shutdown()
        made.shutdown()


def _be_patient(patch: pytest.MonkeyPatch) -> None:
    """Have Ray wait minutes where it waits half a minute: a node is many programs to start."""
    from ray._private import services

    def look(*where: object) -> object:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                return get_node(*where)
            except RuntimeError:
                if time.monotonic() > deadline:
                    raise

    get_node = services.get_node
    patch.setattr(services, "get_node", look)
    patch.setenv("RAY_agent_register_timeout_ms", str(PATIENCE_S * 1000))
    patch.setenv("RAY_worker_register_timeout_seconds", str(PATIENCE_S))
    patch.setenv("RAY_gcs_server_port_wait_time_s", str(PATIENCE_S))


def _run(store: Store, address: str | None, *goals: Step) -> list[StepResult]:
    return run_steps(goals, store, Context(ray=address), listen=ignore)


def _until(true) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert true()


def _value(store: Store, step: Step) -> int:
    return json.loads((store.folder(step) / "number.json").read_text())


def test_steps_are_made_inputs_first_and_told(tmp_path, cluster) -> None:
    """As many at a time as there are cores; a second run keeps all."""
    store = Store(tmp_path)
    steps = [number(f"s{i}", 20, stage=SLOW) for i in range(4)]
    total = number("total", 1, *steps)
    events: list[Event] = []
    run_steps([total], store, Context(ray=cluster), listen=events.append)

    assert _value(store, total) == 1 + 4 * sum(step * 7 % 11 for step in range(20))
    assert [event.step for event in events if event.kind == "begin"][-1] == "number/total"
    assert {result.state for result in _run(store, cluster, total)} == {"kept"}


def test_a_recipe_gives_the_same_keys_and_bits(tmp_path, cluster) -> None:
    """As one process with one thread: every file of every step but the logs and the page.

    And nearly the same where each training has a process on both nodes, under the same keys.
    """
    recipe, data = _recipe(tmp_path, nodes=1), forge(tmp_path / "data")
    stores = [Store(tmp_path / name) for name in ("alone", "cluster", "nodes")]
    use_threads(1)
    run(recipe, data, stores[0].root)
    run(recipe, data, stores[1].root, ray=cluster)
    alone, there = (_hashes(store) for store in stores[:2])

    assert len(alone) > 50
    assert alone == there

    shutil.copytree(stores[0].root, stores[2].root)
    for stage in ("fit", "predict", "join", "score", "report"):
        shutil.rmtree(stores[2].root / stage)
    ran = run(_recipe(tmp_path, nodes=2), data, stores[2].root, ray=cluster)

    assert _hashes(stores[2]).keys() == alone.keys()
    assert {r.step.stage.name for r in ran.results if r.state == "made"} >= {"fit", "predict"}
    said = [_answers(store) for store in stores]
    assert said[2] == pytest.approx(said[0], abs=1e-3)


def _recipe(folder: Path, *, nodes: int) -> Recipe:
    """Return the tiny recipe; a step of a member's training has two batches."""
    path = write_recipe(folder)
    recipe = yaml.safe_load(path.read_text())
    recipe["defaults"]["fit"] |= {"batch": 2, "accumulate": 2, "nodes": nodes}
    path.write_text(yaml.safe_dump(recipe, sort_keys=False))
    return read_recipe(path)


def _answers(store: Store) -> list[float]:
    """Return what the members said, as one row of numbers."""
    tables = sorted(store.root.glob("predict/*/predictions.parquet"))
    frames = [pl.read_parquet(path).sort("predictor", "target", "unit") for path in tables]
    return [p for frame in frames for row in frame["probabilities"].to_list() for p in row]


def test_a_step_whose_worker_is_killed_goes_on(tmp_path, cluster) -> None:
    """The cluster begins it again by itself, where it was."""
    store, step = Store(tmp_path), number("s", 120, stage=SLOW)
    results: list[StepResult] = []
    driver = threading.Thread(target=lambda: results.extend(_run(store, cluster, step)))
    driver.start()
    _until((store.partial(step) / "state.json").exists)
    os.kill(json.loads(store.lock(step).read_text())["pid"], signal.SIGKILL)
    driver.join()

    assert [result.state for result in results] == ["resumed"]
    assert [line["event"] for line in store.read_log()].count("died") == 1
    assert _value(store, step) == sum(step * 7 % 11 for step in range(120))


def test_a_worker_killed_at_a_study_costs_that_study(tmp_path, cluster) -> None:
    """Every other part is made once, and the step ends whole."""
    store, step = Store(tmp_path / "store"), fatal(tmp_path, *"abcdefghijkl", kills="f")
    (result,) = _run(store, cluster, step)
    tries = {path.stem: len(path.read_text().split()) for path in tmp_path.glob("*.tries")}

    assert result.broken == {}
    assert tries == {name: 2 if name == "f" else 1 for name in "abcdefghijkl"}
    assert len(list((store.folder(step) / "parts").iterdir())) == 12


def test_studies_of_a_step_are_worked_on_at_a_time(tmp_path, cluster) -> None:
    """Each of the two waits until the other is looked at: one after another would never end."""
    store, step = Store(tmp_path / "store"), fatal(tmp_path, *"abcdefgh", meeting="ab")
    (result,) = _run(store, cluster, step)

    assert result.broken == {}
    assert (tmp_path / "a.tries").read_text() != (tmp_path / "b.tries").read_text()


def test_a_step_that_kills_every_worker_is_given_up(tmp_path, cluster) -> None:
    """After the third."""
    store, step = Store(tmp_path), number("x", 1, stage=MOURNING, how="kill")

    with pytest.raises(RunError, match=r"^mourning/x: WorkerCrashedError"):
        _run(store, cluster, step)
    assert [line["event"] for line in store.read_log()].count("died") == 2


def test_a_failure_on_a_worker_is_told_as_one_line(tmp_path, cluster) -> None:
    """The line is that of a run without a cluster."""
    with pytest.raises(RunError, match=r"^mourning/x: ValueError: nothing is left$"):
        _run(Store(tmp_path), cluster, number("x", 1, stage=MOURNING, how="raise"))


def test_a_step_over_two_nodes_has_a_process_on_each(tmp_path, cluster) -> None:
    """The first writes the step's folder, the other one a folder that is thrown away."""
    store, step = Store(tmp_path / "store"), together(tmp_path, Needs(nodes=2))
    _run(store, cluster, step)
    told = [(tmp_path / f"rank{rank}").read_text().split() for rank in (0, 1)]

    assert [one[:2] for one in told] == [["0", "2"], ["1", "2"]]
    assert _value(store, step) == 2
    assert not Path(told[1][2]).exists()


def test_two_drivers_make_each_step_once(tmp_path, cluster) -> None:
    """Of one cluster, on one store; both end well."""
    store, steps = Store(tmp_path), [number(f"s{i}", 40 + i, stage=SLOW) for i in range(4)]
    command = [sys.executable, "-c", DRIVER, str(HERE), str(tmp_path), cluster]
    other = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    _until(lambda: any(store.holder(step) for step in steps))
    ours = [result.state for result in _run(store, cluster, *steps)]
    theirs = other.communicate()[0].split()
    made = [line["step"] for line in store.read_log() if line["event"] == "made"]

    assert other.returncode == 0
    assert sorted([*ours, *theirs]) == ["kept"] * 4 + ["made"] * 4
    assert len(made) == len(set(made)) == 4


def _hashes(store: Store) -> dict[str, str]:
    """Of all files that are the same in every run: logs tell the time, so does the page."""
    return {
        f"{entry.id}/{name}": known["sha256"]
        for entry in store.entries()
        for name, known in entry.manifest.files.items()
        if not name.endswith("log.jsonl") and entry.manifest.stage != "report"
    }
