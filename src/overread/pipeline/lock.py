"""One driver at a time works on a step, on this machine or on another with the same disk.

There are two bolts. The operating system holds the first (`flock`) and lets go of it when the
process dies, so nothing is left behind. Not every shared disk carries it from one machine to the
next (NFS with `local_lock`, Lustre without `flock`, object storage as a folder), so the file is a
lease too: it is made exclusively, names its machine, and whoever holds it keeps touching it.
On one machine the first bolt decides, at once. Between machines the second does: a lease that has
not been touched for LEASE_S, by the clock of the disk, is taken over.
"""

import errno
import fcntl
import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

__all__ = [
    "BEAT_S",
    "LEASE_S",
    "holder",
    "identity",
    "is_held",
    "is_mine",
    "is_ours",
    "machine",
    "try_lock",
]

BEAT_S = 10.0
LEASE_S = 60.0
SETTLE_S = 1.0
RECORD_BYTES = 256
BOOT = Path("/proc/sys/kernel/random/boot_id")
NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL})


@contextmanager
def try_lock(path: Path) -> Iterator[bool]:
    """Hold the lock file at `path`, or yield False when somebody else does.

    A file that a dead process of this machine left is taken over at once, one of another machine
    when its lease is over.
    """
    descriptor = _open_locked(path)
    if descriptor is None:
        yield False
        return
    over = threading.Event()
    beat = threading.Thread(target=_beat, args=(path, over), daemon=True)
    try:
        _sign(descriptor)
        beat.start()
        yield True
    finally:
        over.set()
        if is_mine(path):
            path.unlink(missing_ok=True)
        os.close(descriptor)


def is_mine(path: Path) -> bool:
    """Tell whether the file still names this process: another machine may have taken it over."""
    return is_ours(_read(path))


def is_ours(owner: dict[str, Any]) -> bool:
    """Tell whether an owner is this process."""
    return bool(owner.get("token") == identity()["token"])


def identity() -> dict[str, Any]:
    """Return who this process is: pid, host, machine, and a token that nobody else has."""
    return dict(_identity(os.getpid()))


@cache
def _identity(pid: int) -> dict[str, Any]:
    # Two containers can have one host name and one pid.
    token = secrets.token_hex(8)
    return {"pid": pid, "host": socket.gethostname(), "machine": machine(), "token": token}


def is_held(path: Path) -> bool:
    """Tell whether a living process holds the lock."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        locks = _flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return not _is_over(descriptor, path, locks=locks)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)


def holder(path: Path) -> str:
    """Return who holds the lock, in words."""
    who = _read(path)
    return f"process {who['pid']} on {who.get('host')}" if "pid" in who else "another process"


@cache
def machine() -> str:
    """Return what tells this machine from others: containers of one kernel share its locks."""
    try:
        return BOOT.read_text().strip()
    except OSError:
        return socket.gethostname()


def _open_locked(path: Path) -> int | None:
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        descriptor, new = _open(path)
        try:
            # Nobody keeps a file that somebody else has just made: wait for who only looks.
            locks = _flock(descriptor, fcntl.LOCK_EX | (0 if new else fcntl.LOCK_NB))
        except BlockingIOError:
            os.close(descriptor)
            return None
        if not _is_still(descriptor, path):
            # The former holder removed the file between our open and our lock: try the new file.
            os.close(descriptor)
            continue
        if new or (_is_over(descriptor, path, locks=locks) and _take(descriptor, path)):
            return descriptor
        os.close(descriptor)
        return None


def _open(path: Path) -> tuple[int, bool]:
    """Return the open file, and whether we made it: exclusively, which all shared disks keep."""
    flags = os.O_RDWR | os.O_CLOEXEC
    while True:
        with suppress(FileExistsError):
            return os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o644), True
        with suppress(FileNotFoundError):
            return os.open(path, flags), False


def _flock(descriptor: int, how: int) -> bool:
    """Lock the file; False where the disk has no locks.

    Raises:
        BlockingIOError: if a living process holds it.
    """
    try:
        fcntl.flock(descriptor, how)
    except BlockingIOError:
        raise
    except OSError as error:
        if error.errno in NO_LOCKS:
            return False
        raise
    return True


def _is_still(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _is_over(descriptor: int, path: Path, *, locks: bool) -> bool:
    """Tell whether a file that no living process of this machine holds is free to be taken."""
    text = os.pread(descriptor, RECORD_BYTES, 0)
    owner = _parse(text)
    if text and "machine" not in owner:
        return True
    if locks and owner.get("machine") == machine():
        return True
    return _clock(path.parent) - os.fstat(descriptor).st_mtime > LEASE_S


def _take(descriptor: int, path: Path) -> bool:
    """Write our name over a dead holder's; the last of several who do has it."""
    ours = _parse(os.pread(descriptor, RECORD_BYTES, 0)).get("machine") == machine()
    _sign(descriptor)
    if not ours:
        time.sleep(SETTLE_S)  # longer than another machine needs from its look to its name
    return is_mine(path)


def _clock(folder: Path) -> float:
    """Return the time of the disk, which is one for all machines."""
    probe = folder / f".clock-{socket.gethostname()}-{os.getpid()}-{threading.get_ident()}"
    probe.touch()
    os.utime(probe)
    try:
        return probe.stat().st_mtime
    finally:
        probe.unlink(missing_ok=True)


def _sign(descriptor: int) -> None:
    os.pwrite(descriptor, json.dumps(identity()).encode().ljust(RECORD_BYTES), 0)
    os.ftruncate(descriptor, RECORD_BYTES)


def _beat(path: Path, over: threading.Event) -> None:
    """Touch the file until the work is over, or the file is no longer ours."""
    while not over.wait(BEAT_S) and is_mine(path):
        with suppress(FileNotFoundError):
            os.utime(path)


def _read(path: Path) -> dict[str, Any]:
    try:
        return _parse(path.read_bytes())
    except OSError:
        return {}


def _parse(text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
