"""Entries on disk, and beyond it where the store has a URL: each exists whole, or not at all.

`store/<stage>/<name>-<key>/` holds the files of a finished step and its `manifest.json`. Work goes
on in `<name>-<key>.partial/`, which is renamed when whole. A store with a URL works in a folder of
this machine: what is finished is pushed, what a step reads is brought. The store does not know what
is in the files, nor what a recipe is.
"""

import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from overread.pipeline.keys import hash_file
from overread.pipeline.lock import holder, is_held, try_lock
from overread.pipeline.remote import Remote
from overread.pipeline.step import Step

__all__ = [
    "Entry",
    "Manifest",
    "Store",
    "StoreError",
    "open_store",
    "root_of",
    "sync_tree",
    "write_json",
]

MANIFEST = "manifest.json"
PARTIAL = ".partial"
LOCK = ".lock"
DAMAGED = ".damaged"


class StoreError(RuntimeError):
    """The store does not hold what was asked for."""


@dataclass(frozen=True)
class Manifest:
    """What is known of a finished step.

    Attributes:
        stage, version, name, key, settings: of the step.
        inputs: {role: {"stage", "name", "key"}}.
        files: {relative name: {"sha256", "bytes"}}.
        broken: {study id: why} set aside here or before.
        wall_s: seconds of work, over all attempts.
        peak_memory_mb: of the process while it worked.
        made: ISO 8601 UTC.
        overread: version of the package.
    """

    stage: str
    version: int
    name: str
    key: str
    settings: dict[str, Any]
    inputs: dict[str, dict[str, str]]
    files: dict[str, dict[str, Any]]
    broken: dict[str, str] = field(default_factory=dict)
    wall_s: float = 0.0
    peak_memory_mb: float = 0.0
    made: str = ""
    overread: str = ""


@dataclass(frozen=True)
class Entry:
    """A finished step: a folder of the store that was renamed when whole, or one that is away.

    Attributes:
        folder: where its files lie, or will lie.
        away: the manifest of an entry whose files are beyond this machine; None = they are here.
    """

    folder: Path
    away: Manifest | None = None

    @property
    def id(self) -> str:
        """Stage, name and key, such as "fit/a.fold0-0123456789abcdef"."""
        return f"{self.folder.parent.name}/{self.folder.name}"

    @cached_property
    def manifest(self) -> Manifest:
        """The manifest.

        Raises:
            StoreError: if it is absent or does not read.
        """
        if self.away is not None:
            return self.away
        path = self.folder / MANIFEST
        try:
            return Manifest(**json.loads(path.read_text()))
        except (OSError, ValueError, TypeError) as error:
            raise StoreError(
                f"{self.id}: manifest.json does not read ({type(error).__name__}); "
                "remove the folder and run again"
            ) from error

    @property
    def unreadable(self) -> bool:
        """Whether the manifest is damaged."""
        try:
            return not self.manifest.key
        except StoreError:
            return True

    def faults(self, *, content: bool) -> list[str]:
        """Return what is wrong with the files, one line each; with `content` they are re-hashed.

        The files of an entry that is away are hashed when they are brought.
        """
        if self.away is not None:
            return []
        try:
            files = self.manifest.files
        except StoreError as error:
            return [str(error)]
        found = []
        for name, known in files.items():
            path = self.folder / name
            if not path.is_file():
                found.append(f"{self.id}: {name} is missing")
            elif path.stat().st_size != known["bytes"]:
                found.append(
                    f"{self.id}: {name} has {path.stat().st_size} bytes, expected {known['bytes']}"
                )
            elif content and hash_file(path) != known["sha256"]:
                found.append(f"{self.id}: the content of {name} has changed")
        return found


@dataclass(frozen=True)
class Store:
    """A folder of entries.

    Attributes:
        root: the folder of this machine.
        remote: where finished steps are shared with other machines; None = nowhere.
    """

    root: Path
    remote: Remote | None = None

    def __post_init__(self) -> None:
        """Refuse a root that is, or lies in, something other than a folder."""
        for path in (self.root, *self.root.parents):
            if path.exists() and not path.is_dir():
                raise StoreError(f"{path}: found a file, expected the folder of a store")

    @classmethod
    def existing(cls, place: Path | str) -> "Store":
        """Return the store that some run has written before.

        Raises:
            StoreError: if nothing is there, or a folder that no run has written to.
        """
        store = open_store(place)
        root = store.root
        if store.remote is not None and any(store.remote.steps()):
            return store
        if not root.is_dir():
            raise StoreError(f"{root}: found no such folder, expected a store; name it by --store")
        known = (root / "log.jsonl").is_file() or any(store.entries()) or any(store.leftovers())
        if not known:
            raise StoreError(
                f"{root}: found a folder without log.jsonl and without finished steps, expected a "
                "store; name it by --store"
            )
        return store

    def folder(self, step: Step) -> Path:
        """Return where the step's entry lies, or will lie."""
        return self.root / step.stage.name / f"{step.name}-{step.key}"

    def partial(self, step: Step) -> Path:
        """Return where the step is worked on."""
        folder = self.folder(step)
        return folder.with_name(folder.name + PARTIAL)

    def lock(self, step: Step) -> Path:
        """Return the step's lock file."""
        folder = self.folder(step)
        return folder.with_name(folder.name + LOCK)

    def entry(self, step: Step) -> Entry | None:
        """Return the step's entry when it is there with all its files, else None."""
        found = Entry(self.folder(step))
        if found.folder.is_dir() and not found.faults(content=False):
            return found
        known = self.remote.manifest(step.id) if self.remote else None
        return Entry(found.folder, Manifest(**known)) if known else None

    def bring(self, step: Step) -> Path:
        """Return the folder of a finished step, whose files are fetched first if they are away.

        Raises:
            StoreError: if they are not what their manifest says.
        """
        entry = self.entry(step)
        if self.remote is None or entry is None or entry.away is None:
            return self.folder(step)
        beside = entry.folder.with_name(f"{entry.folder.name}.{os.getpid()}{PARTIAL}")
        shutil.rmtree(beside, ignore_errors=True)
        self.remote.pull(step.id, asdict(entry.away), beside)
        write_json(beside / MANIFEST, asdict(entry.away))
        if faults := Entry(beside).faults(content=True):
            shutil.rmtree(beside)
            raise StoreError(f"{self.remote.url}: {faults[0]}; remove the step there and run again")
        sync_tree(beside)
        try:
            beside.rename(entry.folder)
        except OSError:  # another process was quicker, or something torn lies there
            self._put_in_place(beside, entry.folder)
        return entry.folder

    def _put_in_place(self, beside: Path, folder: Path) -> None:
        if not Entry(folder).faults(content=False):
            shutil.rmtree(beside)
            return
        self._set_aside(folder)
        beside.rename(folder)

    def share(self, step: Step) -> None:
        """Push a finished step that lies here and is not shared yet."""
        entry = Entry(self.folder(step))
        if self.remote and entry.folder.is_dir() and self.remote.manifest(step.id) is None:
            self.remote.push(step.id, entry.folder, asdict(entry.manifest))

    @contextmanager
    def hold(self, step: Step) -> Iterator[bool]:
        """Keep others from making the step, or yield False when somebody else makes it."""
        with try_lock(self.lock(step)) as mine:
            if not mine or self.remote is None:
                yield mine
                return
            with self.remote.lease(step.id) as leased:
                yield leased

    def holder(self, step: Step) -> str | None:
        """Return who makes the step, in words; None = nobody."""
        if is_held(self.lock(step)):
            return holder(self.lock(step))
        return self.remote.holder(step.id) if self.remote else None

    def entries(self) -> Iterator[Entry]:
        """Yield all entries, sorted by stage and name, those that are away last."""
        here = set()
        for entry in self._entries_here():
            here.add(entry.id)
            yield entry
        for name in self.remote.steps() if self.remote else ():
            known = self.remote.manifest(name) if self.remote and name not in here else None
            if known:
                yield Entry(self.root / name, Manifest(**known))

    def _entries_here(self) -> Iterator[Entry]:
        for folder in sorted(self.root.glob("*/*/")):
            if not folder.name.endswith((PARTIAL, DAMAGED)) and (folder / MANIFEST).exists():
                yield Entry(folder)

    def leftovers(self) -> Iterator[Path]:
        """Yield folders that are no entries: interrupted work, and damaged entries set aside."""
        for folder in sorted(self.root.glob("*/*/")):
            if folder.name.endswith((PARTIAL, DAMAGED)):
                yield folder

    def commit(self, step: Step, manifest: Manifest) -> Entry:
        """Turn the step's partial folder into its entry: manifest, flush to disk, rename."""
        partial, folder = self.partial(step), self.folder(step)
        write_json(partial / MANIFEST, manifest.__dict__)
        sync_tree(partial)
        self._set_aside(folder)
        partial.rename(folder)
        _sync_folder(folder.parent)
        self.share(step)
        return Entry(folder)

    def _set_aside(self, folder: Path) -> None:
        if folder.exists():  # incomplete: `entry` has refused it
            aside = folder.with_name(folder.name + DAMAGED)
            shutil.rmtree(aside, ignore_errors=True)
            folder.rename(aside)

    def remove(self, entry: Entry) -> None:
        """Remove an entry, here and beyond."""
        shutil.rmtree(entry.folder, ignore_errors=entry.away is not None)
        if self.remote is not None:
            self.remote.remove(entry.id)

    def write_log(self, **event: Any) -> None:
        """Append one line to `log.jsonl`; a line torn by a kill does not spoil the next."""
        self.root.mkdir(parents=True, exist_ok=True)
        path = self.root / "log.jsonl"
        line = json.dumps({"time": now(), "pid": os.getpid(), **event}) + "\n"
        with path.open("ab+") as file:
            size = file.seek(0, os.SEEK_END)
            torn = size and os.pread(file.fileno(), 1, size - 1) != b"\n"
            file.write((b"\n" if torn else b"") + line.encode())

    def read_log(self) -> list[dict[str, Any]]:
        """Return the events of `log.jsonl`, oldest first, without torn lines."""
        path = self.root / "log.jsonl"
        events = []
        for line in path.read_text().splitlines() if path.exists() else []:
            try:
                events.append(json.loads(line))
            except ValueError:
                continue
        return events


def open_store(place: Path | str) -> Store:
    """Return the store at a folder or a URL; that of a URL works in a folder of the user's cache.

    Example:
        >>> open_store("store").root, open_store("store").remote
        (PosixPath('store'), None)
    """
    remote = Remote(str(place)) if "://" in str(place) else None
    return Store(root_of(place), remote)


def root_of(place: Path | str) -> Path:
    """Return the folder of this machine in which a store works."""
    if "://" not in str(place):
        return Path(place)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "overread" / re.sub(r"[^A-Za-z0-9.]+", "-", str(place)).strip("-")


def now() -> str:
    """Return the time, ISO 8601 UTC."""
    return datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="milliseconds")


def hash_files(folder: Path) -> dict[str, dict[str, Any]]:
    """Return {relative name: {sha256, bytes}} of all files but the manifest, sorted."""
    return {
        path.relative_to(folder).as_posix(): {
            "sha256": hash_file(path),
            "bytes": path.stat().st_size,
        }
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != MANIFEST
    }


def write_json(path: Path, value: Any) -> None:
    """Write JSON beside `path`, flush it, and move it into place."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with beside.open("w") as file:
        json.dump(value, file, indent=1, allow_nan=False)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def sync_tree(folder: Path) -> None:
    """Flush all files and folders below `folder` to disk."""
    for path in folder.rglob("*"):
        if path.is_dir():
            _sync_folder(path)
        else:
            with path.open("rb") as file:
                os.fsync(file.fileno())
    _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
