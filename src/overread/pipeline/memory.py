"""Peak memory of this process while a step is made; Linux only, elsewhere since the start."""

import resource
import sys
from pathlib import Path

__all__ = ["peak_memory_mb", "restart_peak"]

STATUS = Path("/proc/self/status")
CLEAR = Path("/proc/self/clear_refs")


def restart_peak() -> None:
    """Let the peak start anew, where the system can."""
    try:
        CLEAR.write_text("5")  # see `man 5 proc`: resets VmHWM
    except OSError:
        return


def peak_memory_mb() -> float:
    """Return the largest resident memory since `restart_peak`, MiB."""
    try:
        for line in STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest / (1024 * 1024 if sys.platform == "darwin" else 1024)
