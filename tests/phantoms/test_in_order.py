"""Forging with several processes: order, and the end of processes whose starter was killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from overread.phantoms.in_order import in_order

DRIVER = """
import sys
sys.path.insert(0, sys.argv[1])
from test_in_order import tell_and_wait
from overread.phantoms.in_order import in_order
if __name__ == "__main__":
    list(in_order(tell_and_wait, 2, 2))
"""


def square(index: int) -> int:
    """Something to work out."""
    return index**2


def tell_and_wait(index: int) -> None:
    """Leave the number of this process in a file, and work for long."""
    folder = Path(os.environ["TOLD_IN"])
    (folder / f"{index}.part").write_text(str(os.getpid()))
    (folder / f"{index}.part").rename(folder / f"{index}.pid")
    time.sleep(600)


def test_results_come_in_order() -> None:
    """Two processes and one give the same."""
    expected = [0, 1, 4, 9, 16]

    assert expected == list(in_order(square, 5, 1))
    assert expected == list(in_order(square, 5, 2))


def test_processes_end_with_their_starter(tmp_path: Path) -> None:
    """After kill -9 of the starter nobody forges on, and nobody waits for work for ever."""
    script = tmp_path / "driver.py"
    script.write_text(DRIVER)
    driver = subprocess.Popen(
        [sys.executable, str(script), str(Path(__file__).parent)],
        env={**os.environ, "TOLD_IN": str(tmp_path)},
    )
    try:
        until(lambda: len(list(tmp_path.glob("*.pid"))) == 2)
    finally:
        driver.send_signal(signal.SIGKILL)
        driver.wait()
    workers = [int(path.read_text()) for path in tmp_path.glob("*.pid")]

    until(lambda: not any(is_alive(worker) for worker in workers))


def until(holds, seconds=60):
    """Wait for something to be so."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def is_alive(process: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
