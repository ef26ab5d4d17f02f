"""A folder whose every file is vouched for: written whole, read only if nothing was changed.

What the files mean is not known here.
"""

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray
from safetensors import SafetensorError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "BundleError",
    "read_arrays",
    "read_checked",
    "read_hash",
    "read_state",
    "write_checked",
]

INDEX = "bundle.json"
FORMAT = 1
SUFFIX = ".safetensors"
# Weights and arrays, and networks as graphs: neither holds code that reading would run.
SUFFIXES = (SUFFIX, ".onnx")


class BundleError(ValueError):
    """A bundle that is damaged, changed, incomplete or of another format."""


def write_checked(
    folder: Path,
    content: Mapping[str, Any],
    states: Mapping[str, Mapping[str, "Tensor"]],
    arrays: Mapping[str, Mapping[str, NDArray[np.generic]]],
    *,
    copies: Mapping[str, Path] | None = None,
) -> str:
    """Write a folder: bundle.json, safetensors files and graphs, with their hashes.

    It is written beside its place and moved there when whole.

    Args:
        folder: must not exist, or be empty.
        content: plain JSON, kept under "content".
        states: {path without suffix: state dict}.
        arrays: {path without suffix: {name: array}}.
        copies: {path: file that is copied there}.

    Returns:
        The hash over everything.

    Raises:
        BundleError: if something is there already.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BundleError(f"{folder} exists and is not empty; choose another place or delete it")
    partial = folder.with_name(f"{folder.name}.partial")
    if partial.exists():
        shutil.rmtree(partial)
    partial.mkdir(parents=True)
    try:
        for path, source in (copies or {}).items():
            (partial / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, partial / path)
        digest = _write(partial, content, states, arrays)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    if folder.exists():
        folder.rmdir()
    partial.rename(folder)
    return digest


def _write(
    partial: Path,
    content: Mapping[str, Any],
    states: Mapping[str, Mapping[str, "Tensor"]],
    arrays: Mapping[str, Mapping[str, NDArray[np.generic]]],
) -> str:
    for path, state in states.items():
        from safetensors.torch import save_file

        whole = {name: value.detach().cpu().contiguous() for name, value in state.items()}
        save_file(whole, _place(partial, path))
    for path, table in arrays.items():
        safetensors.numpy.save_file(
            {name: np.ascontiguousarray(value) for name, value in table.items()},
            _place(partial, path),
        )
    files = {name: _digest(partial / name) for name in _files(partial)}
    index = {"format": FORMAT, "content": content, "files": files}
    index["hash"] = _digest_json(index)
    (partial / INDEX).write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
    return str(index["hash"])


def read_checked(folder: Path) -> tuple[dict[str, Any], str]:
    """Check every file of a folder and return its content and hash.

    Raises:
        BundleError: naming the file that is missing, extra, changed or of a forbidden kind.
    """
    index = _read_index(folder)
    files: Mapping[str, str] = index["files"]
    found = set(_files(folder))
    for name in sorted(files):
        if not name.endswith(SUFFIXES) or Path(name).is_absolute() or ".." in Path(name).parts:
            raise BundleError(
                f"{folder} lists {name}; a bundle holds {' and '.join(SUFFIXES)} files only"
            )
        if name not in found:
            raise BundleError(f"{folder / name} is missing; copy the whole bundle again")
    if extra := sorted(found - set(files)):
        raise BundleError(f"{folder / extra[0]} does not belong to the bundle; delete it")
    for name, digest in files.items():
        if (actual := _digest(folder / name)) != digest:
            raise BundleError(
                f"{folder / name} was changed: found sha256 {actual[:12]}, expected {digest[:12]}; "
                "copy the whole bundle again"
            )
    return dict(index["content"]), str(index["hash"])


def read_hash(folder: Path) -> str:
    """Return the hash that a bundle states of itself; its files are not looked at.

    Raises:
        BundleError: if the index is missing, unreadable or was changed.
    """
    return str(_read_index(folder)["hash"])


def read_state(path: Path) -> dict[str, "Tensor"]:
    """Read a state dict.

    Raises:
        BundleError: if the file is no safetensors file.
    """
    import safetensors.torch

    try:
        return safetensors.torch.load_file(path)
    except (SafetensorError, OSError) as error:
        raise BundleError(f"{path} is not a readable safetensors file: {error}") from error


def read_arrays(path: Path) -> dict[str, NDArray[np.generic]]:
    """Read named arrays.

    Raises:
        BundleError: if the file is no safetensors file.
    """
    try:
        return dict(safetensors.numpy.load_file(path))
    except (SafetensorError, OSError) as error:
        raise BundleError(f"{path} is not a readable safetensors file: {error}") from error


def _read_index(folder: Path) -> dict[str, Any]:
    path = folder / INDEX
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BundleError(f"{path} is missing; expected the folder of a bundle") from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise BundleError(f"{path} is not readable JSON: {error}") from error
    if not isinstance(index, dict) or index.get("format") != FORMAT:
        found = index.get("format") if isinstance(index, dict) else type(index).__name__
        raise BundleError(
            f"{path} has format {found}, this version reads format {FORMAT}; "
            "use the version of overread that made the bundle, or make it again"
        )
    if missing := {"content", "files", "hash"} - set(index):
        raise BundleError(f"{path} lacks {sorted(missing)}; copy the whole bundle again")
    stated = index["hash"]
    actual = _digest_json({name: value for name, value in index.items() if name != "hash"})
    if actual != stated:
        raise BundleError(
            f"{path} was changed: found hash {actual[:12]}, expected {str(stated)[:12]}; "
            "copy the whole bundle again"
        )
    return index


def _place(folder: Path, path: str) -> Path:
    target = folder / f"{path}{SUFFIX}"
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


def _files(folder: Path) -> list[str]:
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if not path.is_dir() and path != folder / INDEX
    )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest_json(value: Mapping[str, Any]) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
