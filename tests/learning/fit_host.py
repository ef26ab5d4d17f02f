"""Runs toy fits in processes of their own, each killed without warning when it reaches its step.

Called as `fit_host.py FOLDER STEP...`: one process a step, SIGKILL each, then one that may finish.
The processes are forked from this one, so that torch is imported once.
"""

import os
import signal
import sys
import time
from pathlib import Path

import lightning_fabric  # noqa: F401 - imported once, before the forks
import torch
from toy_fit import toy_fit

from overread.learning import read_log

SETTINGS = {
    "epochs": 5,
    "ema": 0.9,
    "mixup": 0.5,
    "accumulate": 2,
    "early_stop": 4,
    "channels_last": True,
    "state_every": 0,
    "log_every": 1,
    "workers": 2,
}


def start(folder: Path) -> int:
    child = os.fork()
    if not child:
        toy_fit(folder, **SETTINGS)
        os._exit(0)
    return child


def kill_at(folder: Path, step: int) -> None:
    child = start(folder)
    until = time.monotonic() + 60
    while time.monotonic() < until:
        reached = [event["step"] for event in read_log(folder) if event["event"] == "step"]
        if max(reached, default=0) >= step:
            break
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def main(folder: Path, steps: list[int]) -> None:
    torch.set_num_threads(1)
    for step in steps:
        kill_at(folder, step)
    _, status = os.waitpid(start(folder), 0)
    sys.exit(status)


if __name__ == "__main__":
    main(Path(sys.argv[1]), [int(step) for step in sys.argv[2:]])
