"""How this process computes; in processes of their own, since the settings cannot be undone."""

import subprocess
import sys

import pytest

CHURN = """
import resource, sys
from overread.models import keep_memory
import torch
assert keep_memory()
torch.set_num_threads(1)
for _ in range(3):
    [torch.ones(5_000_000) for _ in range(8)]
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    [torch.ones(5_000_000) for _ in range(8)]
sys.stdout.write(str(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before))
"""
MOST_PAGES = 500
DENORMALS = """
import sys
from overread.models import flush_denormals, use_threads
import torch
use_threads(1)
kept = (torch.tensor([1e-30]) * 1e-10).item() > 0
flushed = flush_denormals() and (torch.tensor([1e-30]) * 1e-10).item() == 0
sys.stdout.write(f"{kept} {flushed} {torch.get_num_threads()}")
"""


def _said(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="mallopt is glibc's")
def test_kept_memory_is_not_asked_of_the_system_again() -> None:
    """Eight tensors of 20 MB again and again: the pages of the first eight serve them all.

    Left alone the system is asked for thousands of pages again, in most processes. A busy system
    takes pages back by itself now and then, so the best of three counts.
    """
    assert min(int(_said(CHURN)) for _ in range(3)) < MOST_PAGES


def test_denormals_are_zero_once_asked_for() -> None:
    """Before, they are numbers; and torch computes with the threads that it was given."""
    assert _said(DENORMALS) in ("True True 1", "True False 1")
