"""States on disk: whole or passed over."""

import json
from pathlib import Path

import pytest
import torch
from toy_fit import toy_fit, toy_network

from overread.learning import read_log
from overread.learning.log import FitLog
from overread.learning.spec import FitSpec
from overread.learning.state import SavedState, latest_state, save_state


def saved(step: int) -> SavedState:
    return SavedState(step, {"network.x": torch.full((3,), float(step))}, {"note": step})


def test_newest_state_comes_back(tmp_path: Path) -> None:
    """Tensors, values and step are those of the last save; the last two are kept."""
    for step in (1, 2, 10):
        save_state(tmp_path, saved(step))

    found = latest_state(tmp_path)

    assert found is not None
    assert (found.step, found.values) == (10, {"note": 10})
    assert torch.equal(torch.full((3,), 10.0), found.part("network")["x"])
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize("suffix", [".safetensors", ".json"])
@pytest.mark.parametrize("harm", ["shortened", "changed", "gone"])
def test_harmed_state_is_passed_over(tmp_path: Path, suffix: str, harm: str) -> None:
    """A state that is torn, changed or incomplete falls back to the one before."""
    for step in (5, 6):
        save_state(tmp_path, saved(step))
    path = (tmp_path / f"state-{6:09d}").with_suffix(suffix)
    content = path.read_bytes()
    if harm == "gone":
        path.unlink()
    else:
        half = content[: len(content) // 2]
        path.write_bytes(half if harm == "shortened" else half + b"x" * (len(content) - len(half)))

    found = latest_state(tmp_path)

    assert found is not None
    assert found.step == 5


def test_no_state_is_none(tmp_path: Path) -> None:
    """An empty folder has no state."""
    assert latest_state(tmp_path) is None


class StoppedError(Exception):
    """Stands for the end of a process."""


@pytest.mark.parametrize("stop_at", [3, 7])
def test_resume_in_mid_epoch_is_exact(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop_at: int
) -> None:
    """Stopped inside an epoch and begun again: same bytes, and the log tells what was skipped."""
    settings = {"epochs": 2, "state_every": 0, "ema": 0.9, "mixup": 1.0}
    toy_fit(tmp_path / "whole", **settings)
    kind = type(toy_network())
    forward, calls = kind.forward, [0]

    def failing(self: object, batch: object) -> object:
        calls[0] += 1
        if calls[0] > stop_at:
            raise StoppedError
        return forward(self, batch)

    monkeypatch.setattr(kind, "forward", failing)
    with pytest.raises(StoppedError):
        toy_fit(tmp_path / "cut", **settings)
    monkeypatch.undo()

    toy_fit(tmp_path / "cut", **settings)

    whole, cut = ((tmp_path / n / "network.safetensors").read_bytes() for n in ("whole", "cut"))
    resumed = next(e for e in read_log(tmp_path / "cut") if e["event"] == "resume")
    assert whole == cut
    assert resumed["note"].startswith(f"resumed at step {resumed['step']} of 10")
    assert 0 < resumed["step"] <= stop_at


def test_other_thread_count_is_noted_not_changed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A resume with another number of torch threads says so and leaves the number alone."""
    from overread.learning.loop import _begin, _Run
    from overread.learning.order import Order
    from overread.learning.training import Training

    spec, order = FitSpec(device="cpu"), Order(8, 4, 1, 20, 0)
    training = Training(toy_network(), spec, order)
    state = training.state()
    threads = torch.get_num_threads()
    save_state(tmp_path, SavedState(3, state.tensors, {**state.values, "threads": threads + 5}))

    with FitLog(tmp_path, spec) as log:
        _begin(_Run(None, spec, order, None, tmp_path, log, None, None, None), training)

    assert threads == torch.get_num_threads()
    assert f"{threads} torch threads, {threads + 5} before" in caplog.text
    assert training.step == 3


def test_torn_line_of_the_log_is_healed(tmp_path: Path) -> None:
    """Half a line left by a kill does not swallow the next event."""
    (tmp_path / "log.jsonl").write_text(json.dumps({"event": "begin"}) + '\n{"event": "st')

    with FitLog(tmp_path, FitSpec()) as log:
        log.write("resume", step=2)

    assert [event["event"] for event in read_log(tmp_path)] == ["begin", "resume"]


def test_missing_tracker_tells_what_to_install(tmp_path: Path) -> None:
    """A tracker that is not installed is an error with the command."""
    try:
        import mlflow  # noqa: F401
    except ImportError:
        with pytest.raises(ModuleNotFoundError, match=r"overread\[trackers\]"):
            FitLog(tmp_path, FitSpec(track=("mlflow",)))
    else:
        pytest.skip("mlflow is installed")
