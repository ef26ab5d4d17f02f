"""A fit that is killed without warning and started again ends as if nothing had been."""

import random
import subprocess
import sys
from pathlib import Path

import pytest

from overread.learning import read_log

HERE = Path(__file__).parent


def host(folder: Path, steps: list[int]) -> bytes:
    command = [sys.executable, str(HERE / "fit_host.py"), str(folder), *map(str, steps)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return (folder / "network.safetensors").read_bytes()


@pytest.mark.slow
def test_killed_and_resumed_is_byte_for_byte_the_same(tmp_path: Path) -> None:
    """SIGKILL at random steps, in mid-epoch, leaves no trace in the bytes of the network."""
    steps = sorted(random.Random(8).sample(range(1, 14), 4))

    whole = host(tmp_path / "whole", [])
    resumed = host(tmp_path / "killed", steps)

    events = [event["event"] for event in read_log(tmp_path / "killed")]
    assert events.count("resume") >= 3
    assert events.count("end") == 1
    assert whole == resumed
