"""How this process computes: numbers too small to matter are zero.

Denormal numbers (below about 1e-38) make a step of a small network on a CPU up to twice as slow
and change nothing that can be seen. The setting is per thread and inherited by threads that start
later, so a run and a grading make it first, before torch has threads of its own.
"""

import torch

__all__ = ["flush_denormals", "use_threads"]


def flush_denormals() -> bool:
    """Treat denormal numbers as zero in this thread and its children; False if the CPU cannot."""
    return bool(torch.set_flush_denormal(True))


def use_threads(count: int) -> None:
    """Let torch compute with this many threads in this process."""
    torch.set_num_threads(count)
