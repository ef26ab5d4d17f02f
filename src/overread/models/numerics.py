"""How this process computes: numbers too small to matter are zero, freed memory is kept.

Denormal numbers (below about 1e-38) make a step of a small network on a CPU up to twice as slow
and change nothing that can be seen. The setting is per thread and inherited by threads that start
later, so a run and a grading make it first, before torch has threads of its own.
"""

import ctypes
import os
import sys

__all__ = ["flush_denormals", "keep_memory", "num_threads", "use_threads"]

# Parameters of mallopt(3) and the most that each takes on 64-bit systems.
TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD = -1, -2, -3
LARGEST_FROM_HEAP = 32 << 20
KEPT = 1 << 30
STEP = 64 << 20


def flush_denormals() -> bool:
    """Treat denormal numbers as zero in this thread and its children; False if the CPU cannot."""
    import torch

    return bool(torch.set_flush_denormal(True))


def use_threads(count: int) -> None:
    """Let torch compute with this many threads in this process."""
    import torch

    torch.set_num_threads(count)


def num_threads() -> int:
    """Return with how many threads this process computes: torch's number, where torch is open."""
    if "torch" in sys.modules:
        import torch

        return torch.get_num_threads()
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isdecimal() and int(asked):
        return int(asked)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1


def keep_memory() -> bool:
    """Let freed memory be used again instead of giving it back to the system; False without glibc.

    A training step frees and asks for the same hundreds of MiB; getting them from the system page
    by page takes a fifth to a third of a step of a small network on a CPU.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return False
    settings = ((MMAP_THRESHOLD, LARGEST_FROM_HEAP), (TRIM_THRESHOLD, KEPT), (TOP_PAD, STEP))
    taken = [mallopt(which, value) for which, value in settings]
    return all(taken)
