"""Several processes make one step."""

import json
from pathlib import Path

import pytest
from fake_stages import ignore
from ray_stages import together

from overread.pipeline.run import RunError, run_steps
from overread.pipeline.step import Context, Needs
from overread.pipeline.store import Store


def test_processes_of_one_machine_make_a_step(tmp_path) -> None:
    """The first in the step's folder, the others in folders that are thrown away."""
    store, step = Store(tmp_path / "store"), together(tmp_path, Needs(devices=2))
    run_steps([step], store, Context(), listen=ignore)
    told = [(tmp_path / f"rank{rank}").read_text().split() for rank in (0, 1)]

    assert [one[:2] for one in told] == [["0", "2"], ["1", "2"]]
    assert json.loads((store.folder(step) / "number.json").read_text()) == 2
    assert not Path(told[1][2]).exists()


def test_several_machines_need_a_cluster(tmp_path) -> None:
    """The message says how to name one."""
    with pytest.raises(RunError, match=r"nodes: 2 asks for several machines.*--ray"):
        run_steps([together(tmp_path, Needs(nodes=2))], Store(tmp_path), Context(), listen=ignore)


def test_what_a_step_needs_is_not_in_its_key(tmp_path) -> None:
    """It is the same step wherever it is made."""
    assert together(tmp_path, Needs(nodes=2)).key == together(tmp_path, Needs()).key
