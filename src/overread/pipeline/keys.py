"""The key of a step: a hash of everything that decides its result.

It knows plain JSON values and files; it does not know what a step does, and it opens no image.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["canonical", "digest_folder", "hash_file", "hash_json"]

KEY_LENGTH = 16
CHUNK_BYTES = 1 << 20
# Small tables decide labels: a grade that changes from 1 to 2 keeps the file's size, so their
# content counts. Images are known by name and size alone: planning must stay fast.
TABLE_SUFFIXES = (".csv", ".tsv", ".json", ".parquet", ".yaml", ".yml", ".txt", ".csv.gz")


def canonical(value: Any) -> str:
    """Return the one JSON text of a plain value: sorted keys, no spaces, no NaN.

    Example:
        >>> canonical({"b": 1, "a": [1.5, None]})
        '{"a":[1.5,null],"b":1}'
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def hash_json(value: Any) -> str:
    """Return the first 16 hex digits of the SHA-256 of the canonical text."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()[:KEY_LENGTH]


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def digest_folder(folder: Path, *, skip: Path | None = None) -> dict[str, Any]:
    """Return what identifies a dataset's folder: a digest of its file list, and its extent.

    Names are relative, so that the folder may move; times do not count; hidden files do not count.
    Tables count with their content, everything else with its size.

    Args:
        folder: the dataset.
        skip: a folder that does not count, such as a store inside the dataset.

    Returns:
        {"digest": hex, "files": count, "bytes": sum of sizes}.
    """
    digest = hashlib.sha256()
    files = size = 0
    for path, length in _files(folder, skip):
        name = path.relative_to(folder).as_posix()
        content = hash_file(path) if name.lower().endswith(TABLE_SUFFIXES) else ""
        digest.update(f"{name}\0{length}\0{content}\n".encode("utf-8", "surrogateescape"))
        files, size = files + 1, size + length
    return {"digest": digest.hexdigest()[: 2 * KEY_LENGTH], "files": files, "bytes": size}


def _files(folder: Path, skip: Path | None) -> Iterator[tuple[Path, int]]:
    apart = skip.resolve() if skip else None
    for here, folders, names in os.walk(folder):
        if apart and Path(here).resolve() == apart:
            folders.clear()
            continue
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(name for name in names if not name.startswith(".")):
            path = Path(here) / name
            if path.is_file():
                yield path, path.stat().st_size
