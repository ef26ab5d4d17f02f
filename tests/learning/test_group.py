"""Several processes train one network as one process does."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file

from overread.learning import FitSpec, read_log
from overread.learning.group import Group, current_group, joined
from overread.learning.order import Order

HERE = Path(__file__).parent


def host(folder: Path, size: int, stop: int = 0) -> Path:
    command = [sys.executable, str(HERE / "group_host.py"), str(folder), str(size), str(stop)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return folder / "0"


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a fit by one process."""
    return host(tmp_path_factory.mktemp("alone"), 1)


def losses(folder: Path, event: str) -> list[float]:
    return [line["total"] for line in read_log(folder) if line["event"] == event]


def assert_same_network(one: Path, other: Path) -> None:
    first, second = (load_file(folder / "network.safetensors") for folder in (one, other))
    assert list(first) == list(second)
    for name in first:
        torch.testing.assert_close(first[name], second[name], rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_two_processes_learn_what_one_does(tmp_path: Path, alone: Path) -> None:
    """Losses agree to 1e-5, weights and running statistics too; the last step has one batch only.

    With dropout, mixed and augmented batches, a frozen encoder, an average, and an early stop.
    """
    both = host(tmp_path, 2)

    assert losses(both, "step") == pytest.approx(losses(alone, "step"), abs=1e-5)
    assert losses(both, "validation") == pytest.approx(losses(alone, "validation"), abs=1e-5)
    assert [line.get("processes") for line in read_log(both) if line["event"] == "begin"] == [2]
    assert_same_network(alone, both)


@pytest.mark.slow
def test_two_processes_that_were_killed_go_on(tmp_path: Path, alone: Path) -> None:
    """The first tells the others where it was; the end is that of one process undisturbed."""
    both = host(tmp_path, 2, stop=4)

    assert [line["event"] for line in read_log(both)].count("resume") == 1
    assert_same_network(alone, both)


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_every_batch_of_a_step_is_one_process_s(size: int) -> None:
    """In order, each once, however many there are."""
    shares = [list(Group(rank, size).share(3)) for rank in range(size)]

    assert [part for share in shares for part in share] == [0, 1, 2]
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_a_group_is_joined_for_a_while() -> None:
    """After the block the process is on its own again."""
    with joined(Group(1, 2)):
        inside = current_group()

    assert (inside.rank, inside.first, current_group().size) == (1, False, 1)


def test_more_processes_than_batches_are_refused() -> None:
    """The message says what to set."""
    with pytest.raises(ValidationError, match="set accumulate to 4 or more"):
        FitSpec(devices=2, nodes=2, accumulate=2)


def test_where_a_fit_runs_does_not_change_its_identity() -> None:
    """Devices, nodes and cores are how, not what."""
    spread = FitSpec(accumulate=4, devices=2, nodes=2, cores=3)

    assert FitSpec(accumulate=4).identity() == spread.identity()


def test_each_batch_of_a_step_has_its_own_chance() -> None:
    """Or the batches of a step would drop out the same places, on one process or on two."""
    order = Order(examples=8, batch=2, accumulate=2, epochs=1, seed=1)
    seeds = {order.dropout_seed(step, part) for step in range(2) for part in range(2)}

    assert len(seeds) == 4
