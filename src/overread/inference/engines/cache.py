"""Where the results of tuning are kept: beside the user's other caches, by bundle and host.

A result holds for the bundle, the processor and the versions of the engines that it was measured
with; with any other it is not found. How engines are measured is not known here.
"""

import hashlib
import json
import os
import platform
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from overread.inference.bundle import Bundle
from overread.inference.bundle_files import BundleError, read_checked, read_hash

__all__ = ["BUNDLE", "TUNING", "cached_bundle", "host", "tuning_folder"]

LIBRARIES = ("overread", "torch", "onnxruntime", "openvino")
TUNING = "tuning.json"
BUNDLE = "bundle"


def host() -> dict[str, Any]:
    """Return what a measurement depends on: the processor and the versions of the engines."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1,
        "system": f"{platform.system()} {platform.machine()}",
        "versions": {name: _version(name) for name in LIBRARIES},
    }


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in text.splitlines() if "model name" in line]
    return names[0] if names else platform.processor()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def tuning_folder(digest: str, cache: Path | None = None) -> Path:
    """Return where the result for a bundle on this host is kept.

    Args:
        digest: hash of the bundle.
        cache: None = below OVERREAD_CACHE, or the user's cache.
    """
    if cache is None:
        own = os.environ.get("OVERREAD_CACHE")
        user = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        cache = Path(own) if own else Path(user) / "overread"
    here = hashlib.sha256(json.dumps(host(), sort_keys=True).encode()).hexdigest()
    return cache / "engines" / f"{digest[:16]}-{here[:8]}"


def cached_bundle(
    folder: Path, *, cache: Path | None = None, trusted: Sequence[str] = ()
) -> Bundle | None:
    """Return a bundle as it was tuned for this host, under its own hash; None if it was not.

    Args:
        folder: of the bundle; all its files are checked.
        cache: see `tuning_folder`.
        trusted: see `Bundle.load`.

    Raises:
        BundleError: if the bundle is not whole.
    """
    digest = read_hash(folder)
    tuned = tuning_folder(digest, cache) / BUNDLE
    if not tuned.is_dir():
        return None
    read_checked(folder)
    try:
        found = Bundle.load(tuned, trusted=trusted)
    except BundleError:  # such as one that was stopped while it was written
        return None
    return replace(found, hash=digest)
