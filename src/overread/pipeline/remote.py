"""Finished steps beyond this machine, by a URL that fsspec knows (`s3://`, `gs://`, `file://`...).

A step is two objects, packed files and a mark:

    <stage>/<name>-<key>/<digest>.tar    all files of the step
    <stage>/<name>-<key>.json            its manifest; put last, and what does not read is not there

The digest is that of the manifest, so two machines that finish one step at once leave two whole
pairs, of which the later mark counts. A lease (`.lease`) keeps others from making the same step:
who holds it writes the time into it again and again. Clocks must agree to half a minute.
This is the only file that knows fsspec.
"""

import json
import shutil
import tarfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from overread.pipeline.keys import canonical, hash_json
from overread.pipeline.lock import BEAT_S, LEASE_S, identity, is_ours

__all__ = ["Remote", "RemoteError"]

MARK = ".json"
LEASE = ".lease"
CHUNK_BYTES = 8 << 20  # object storage refuses parts under 5 MiB


class RemoteError(RuntimeError):
    """The storage cannot be reached, or does not hold what its mark says."""


@dataclass(frozen=True)
class Remote:
    """A place that several machines share.

    Attributes:
        url: such as "s3://bucket/runs".
    """

    url: str

    @cached_property
    def _place(self) -> tuple[Any, str]:
        """The file system, and the path in it.

        Raises:
            RemoteError: if no driver for the URL is installed.
        """
        import fsspec

        try:
            files, root = fsspec.core.url_to_fs(self.url, skip_instance_cache=False)
        except (ImportError, ValueError) as error:
            raise RemoteError(f"--store {self.url}: {error}") from error
        # Others write there too: what was listed before says nothing.
        files.invalidate_cache()
        return files, str(root).rstrip("/")

    def __getstate__(self) -> dict[str, str]:
        """Keep the URL alone: another process connects by itself."""
        return {"url": self.url}

    def manifest(self, step: str) -> dict[str, Any] | None:
        """Return the manifest of a finished step, or None where there is no whole mark."""
        return self._read(step + MARK)

    def steps(self) -> Iterator[str]:
        """Yield the ids of finished steps, sorted."""
        files, root = self._place
        files.invalidate_cache()
        try:
            found = files.glob(f"{root}/*/*{MARK}")
        except FileNotFoundError:
            return
        for path in sorted(found):
            yield "/".join(str(path).removesuffix(MARK).rsplit("/", 2)[-2:])

    def push(self, step: str, folder: Path, manifest: dict[str, Any]) -> None:
        """Put a finished step there: first its files, then its mark."""
        files, root = self._place
        packed = f"{root}/{step}/{hash_json(manifest)}.tar"
        files.makedirs(packed.rsplit("/", 1)[0], exist_ok=True)
        with (
            files.open(packed, "wb", block_size=CHUNK_BYTES) as file,
            tarfile.open(fileobj=file, mode="w|", bufsize=CHUNK_BYTES) as tar,
        ):
            for name in sorted(manifest["files"]):
                tar.add(folder / name, name, recursive=False, filter=_bare)
        self._write(step + MARK, manifest)

    def pull(self, step: str, manifest: dict[str, Any], folder: Path) -> None:
        """Unpack a finished step into a new folder; what is torn is never left there.

        Raises:
            RemoteError: if the files are not those of the mark.
        """
        files, root = self._place
        folder.mkdir(parents=True)
        try:
            with (
                files.open(f"{root}/{step}/{hash_json(manifest)}.tar", "rb") as file,
                tarfile.open(fileobj=file, mode="r|", bufsize=CHUNK_BYTES) as tar,
            ):
                tar.extractall(folder, filter="data")
        except (OSError, tarfile.TarError) as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise RemoteError(
                f"{self.url}: the files of {step} do not read ({type(error).__name__}: {error}); "
                f"remove {step}{MARK} there, and run again"
            ) from error

    def remove(self, step: str) -> None:
        """Remove a step: first its mark, then its files."""
        files, root = self._place
        with suppress(FileNotFoundError):
            files.rm(f"{root}/{step}{MARK}")
        with suppress(FileNotFoundError):
            files.rm(f"{root}/{step}", recursive=True)

    @contextmanager
    def lease(self, step: str) -> Iterator[bool]:
        """Hold the lease of a step, or yield False when another machine does."""
        if not self._claim(step):
            yield False
            return
        over = threading.Event()
        beat = threading.Thread(target=self._beat, args=(step, over), daemon=True)
        beat.start()
        try:
            yield True
        finally:
            over.set()
            beat.join()  # a last beat must not bring back a lease that is given up
            if is_ours(self._read(step + LEASE) or {}):
                self._drop(step)

    def holder(self, step: str) -> str | None:
        """Return which machine holds the lease of a step, in words; None = none."""
        owner = self._read(step + LEASE)
        if owner is None or is_ours(owner) or time.time() - owner["time"] > LEASE_S:
            return None
        return f"process {owner['pid']} on {owner['host']}"

    def _claim(self, step: str) -> bool:
        files, root = self._place
        path = f"{root}/{step}{LEASE}"
        files.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
        try:
            files.pipe_file(path, canonical(_signed()).encode(), mode="create")
        except FileExistsError:
            if self.holder(step) is not None:
                return False
            self._write(step + LEASE, _signed())
        # Where the storage cannot create exclusively, the last of several has it.
        return is_ours(self._read(step + LEASE) or {})

    def _beat(self, step: str, over: threading.Event) -> None:
        while not over.wait(BEAT_S) and is_ours(self._read(step + LEASE) or {}):
            with suppress(OSError):
                self._write(step + LEASE, _signed())

    def _drop(self, step: str) -> None:
        files, root = self._place
        with suppress(FileNotFoundError):
            files.rm(f"{root}/{step}{LEASE}")

    def _read(self, name: str) -> dict[str, Any] | None:
        files, root = self._place
        try:
            found = json.loads(files.cat_file(f"{root}/{name}"))
        except (FileNotFoundError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def _write(self, name: str, value: dict[str, Any]) -> None:
        files, root = self._place
        path = f"{root}/{name}"
        files.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
        files.pipe_file(path, json.dumps(value, indent=1, allow_nan=False).encode())


def _bare(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Leave out whose the file was."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


def _signed() -> dict[str, Any]:
    return {**identity(), "time": time.time()}
