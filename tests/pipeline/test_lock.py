"""Locks hold between processes of one machine, and between machines that share a disk."""

import errno
import fcntl
import json
import os
import time
from pathlib import Path

import pytest

from overread.pipeline import lock
from overread.pipeline.lock import holder, is_held, is_mine, try_lock


@pytest.fixture
def path(tmp_path, monkeypatch) -> Path:
    """A lock file to be, and no waiting."""
    monkeypatch.setattr(lock, "SETTLE_S", 0.0)
    return tmp_path / "step.lock"


def _foreign(path: Path, *, silent_s: float) -> None:
    """Leave the file of a process of another machine, last touched some time ago."""
    path.write_text(json.dumps({"pid": 7, "host": "far", "machine": "m", "token": "t"}))
    os.utime(path, (time.time() - silent_s,) * 2)


def _without_flock(monkeypatch) -> None:
    def refuse(descriptor: int, how: int) -> None:
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)


def test_a_lease_of_another_machine_is_respected(path) -> None:
    """Even where this machine's own lock on the file is free."""
    _foreign(path, silent_s=5)

    with try_lock(path) as mine:
        assert not mine
    assert is_held(path)
    assert holder(path) == "process 7 on far"


def test_a_machine_that_is_silent_for_a_minute_loses_its_lease(path) -> None:
    """Its file is taken over, and removed by the one who took it."""
    _foreign(path, silent_s=lock.LEASE_S + 5)
    held = is_held(path)
    with try_lock(path) as mine:
        assert (held, mine, is_mine(path)) == (False, True, True)
    assert not path.exists()


def test_without_locks_of_the_system_the_file_alone_decides(path, monkeypatch) -> None:
    """Such as on a disk that has none: the second comer is refused, the next one after is not."""
    _without_flock(monkeypatch)
    with try_lock(path) as mine, try_lock(path) as second:
        assert (mine, second, is_held(path)) == (True, False, True)
    with try_lock(path) as again:
        assert again


def test_a_holder_that_lost_its_lease_leaves_the_file_of_the_next(path) -> None:
    """It notices, and does not unlock what is no longer its own."""
    with try_lock(path):
        _foreign(path, silent_s=0)

        assert not is_mine(path)
    assert holder(path) == "process 7 on far"


def test_a_holder_touches_its_file(path, monkeypatch) -> None:
    """So that others see that it lives, however long the step takes."""
    monkeypatch.setattr(lock, "BEAT_S", 0.01)
    with try_lock(path):
        os.utime(path, (0, 0))
        until = time.monotonic() + 10
        while path.stat().st_mtime < 1 and time.monotonic() < until:
            time.sleep(0.01)

        assert path.stat().st_mtime == pytest.approx(time.time(), abs=30)


def test_a_file_without_a_name_is_not_taken_while_it_is_new(path) -> None:
    """Its maker is about to write who it is; after a minute it is taken for dead."""
    path.touch()
    with try_lock(path) as early:
        os.utime(path, (0, 0))
    with try_lock(path) as late:
        assert (early, late) == (False, True)
