"""Weights of the store are used only as they were written."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from overread.pipeline.networks import NETWORK, load_state
from overread.pipeline.store import Entry, Manifest, StoreError, hash_files, write_json


def _entry(folder: Path) -> Path:
    entry = folder / "fit" / "a.fold0-0123456789abcdef"
    entry.mkdir(parents=True)
    save_file({"weight": torch.arange(4.0)}, entry / NETWORK)
    manifest = Manifest("fit", 1, "a.fold0", "0123456789abcdef", {}, {}, hash_files(entry))
    write_json(entry / "manifest.json", manifest.__dict__)
    return entry


def _flip_last_byte(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 255]))


def test_whole_weights_load(tmp_path) -> None:
    """Weights that are as they were written are read."""
    assert load_state(_entry(tmp_path))["weight"].tolist() == [0.0, 1.0, 2.0, 3.0]


def test_damaged_weights_are_refused_by_name(tmp_path) -> None:
    """One flipped byte is told with the entry and what to do, though the file still reads."""
    entry = _entry(tmp_path)
    _flip_last_byte(entry / NETWORK)

    with pytest.raises(StoreError, match=r"fit/a.fold0-0123456789abcdef.*not as it was written"):
        load_state(entry)
    with pytest.raises(StoreError, match="overread store verify"):
        load_state(entry)
    assert Entry(entry).faults(content=True)


def test_unfinished_work_has_nothing_to_check_against(tmp_path) -> None:
    """A folder that is still worked on has no manifest; its weights are read."""
    entry = _entry(tmp_path)
    (entry / "manifest.json").unlink()

    assert list(load_state(entry)) == ["weight"]
