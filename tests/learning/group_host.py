"""Runs a toy fit by several processes that share the batches of each step.

Called as `group_host.py FOLDER SIZE STOP`: each process has FOLDER/RANK; with STOP above 0 all are
killed when the first has logged that step, and start again. They are forked from this one, so that
torch is imported once.
"""

import os
import signal
import socket
import sys
import time
from pathlib import Path

import lightning_fabric  # noqa: F401 - imported once, before the forks
import torch
from toy_fit import toy_fit

from overread.learning import read_log
from overread.learning.group import Group, joined

SETTINGS = {
    "epochs": 3,
    "ema": 0.9,
    "mixup": 0.5,
    "accumulate": 2,
    "early_stop": 3,
    "freeze": 1,
    "log_every": 1,
    "state_every": 0,
    "workers": 0,
}


def free_port() -> int:
    with socket.socket() as line:
        line.bind(("127.0.0.1", 0))
        return line.getsockname()[1]


def start(folder: Path, group: Group) -> int:
    child = os.fork()
    if not child:
        with joined(group):
            toy_fit(folder / str(group.rank), **SETTINGS)
        os._exit(0)
    return child


def start_all(folder: Path, size: int) -> list[int]:
    port = free_port()
    return [start(folder, Group(rank, size, port=port)) for rank in range(size)]


def kill_at(folder: Path, size: int, step: int) -> None:
    children = start_all(folder, size)
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if any(event.get("step", 0) >= step for event in read_log(folder / "0")):
            break
        time.sleep(0.002)
    for child in children:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def main(folder: Path, size: int, stop: int) -> None:
    torch.set_num_threads(1)
    if stop:
        kill_at(folder, size, stop)
    sys.exit(max(os.waitpid(child, 0)[1] for child in start_all(folder, size)) and 1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
