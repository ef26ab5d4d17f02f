"""The loop: it learns, ends, stops early, and says what went wrong."""

from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file
from toy_fit import RUBRIC, ToyExamples, toy_fit, toy_network

from overread.learning import FitError, FitSpec, LossSpec, fit, grading_loss, predict, read_log
from overread.models import heatmap


def weights(folder: Path) -> bytes:
    return (folder / "network.safetensors").read_bytes()


def test_fit_learns_and_keeps_what_it_learnt(tmp_path: Path) -> None:
    """The toy is learnt, and the file has the weights that the network ends with."""
    network = toy_fit(tmp_path, epochs=12, lr=1e-2)

    said = predict(network, ToyExamples())["logits.grade"].argmax(1)
    saved = load_file(tmp_path / "network.safetensors")
    assert sum(said == [index % 3 for index in range(22)]) >= 20
    assert all(torch.equal(value, saved[name]) for name, value in network.state_dict().items())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log.jsonl", "network.safetensors"]


def test_finished_fit_is_not_repeated(tmp_path: Path) -> None:
    """A second call gives the network its weights and trains nothing."""
    first = toy_fit(tmp_path, epochs=1)
    before = len(read_log(tmp_path))

    second = toy_fit(tmp_path, epochs=1)

    assert before == len(read_log(tmp_path))
    for name, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[name])


def test_folder_of_another_fit_is_refused(tmp_path: Path) -> None:
    """Other settings in the same folder are an error that tells what to do."""
    toy_fit(tmp_path, epochs=1)

    with pytest.raises(FitError, match="delete the folder"):
        toy_fit(tmp_path, epochs=2)


def test_speed_settings_do_not_change_the_result(tmp_path: Path) -> None:
    """Threads of the feed, states and logging leave the bytes alone."""
    toy_fit(tmp_path / "slow", epochs=1, workers=0, state_every=0, log_every=1)
    toy_fit(tmp_path / "fast", epochs=1, workers=3)

    assert weights(tmp_path / "slow") == weights(tmp_path / "fast")


def test_seed_decides(tmp_path: Path) -> None:
    """Another seed of the fit gives another network, the global generator has no say."""
    results = []
    for index, seed in enumerate((1, 1, 2)):
        torch.manual_seed(index)
        fit(
            toy_network(),
            ToyExamples(),
            FitSpec(epochs=1, device="cpu"),
            loss=grading_loss(LossSpec(), RUBRIC),
            seed=seed,
            folder=tmp_path / str(index),
        )
        results.append(load_file(tmp_path / str(index) / "network.safetensors"))

    same = [all(torch.equal(results[0][n], other[n]) for n in results[0]) for other in results]
    assert same == [True, True, False]


def test_global_generator_is_left_alone(tmp_path: Path) -> None:
    """Random numbers after a fit are those that would have come without it."""
    torch.manual_seed(4)
    expected = torch.rand(1)
    torch.manual_seed(4)
    toy_fit(tmp_path, epochs=1)

    assert expected == torch.rand(1)


def test_log_tells_what_happened(tmp_path: Path) -> None:
    """Begin, steps with loss parts, rate, speed and time left, validation, end."""
    told: list[tuple[str, int, int]] = []
    fit(
        toy_network(),
        ToyExamples(),
        FitSpec(epochs=2, batch=4, log_every=2, device="cpu"),
        loss=grading_loss(LossSpec(level=0.1), RUBRIC),
        seed=0,
        folder=tmp_path,
        validation=ToyExamples(6),
        on_progress=lambda *words: told.append(words),
    )

    events = read_log(tmp_path)
    step = next(event for event in events if event["event"] == "step")
    assert {"begin", "step", "validation", "end"} == {event["event"] for event in events}
    assert {"total", "overall", "level", "lr", "examples_per_second", "seconds_left"} <= set(step)
    assert step["total"] == pytest.approx(step["overall"] + step["level"])
    assert [e["step"] for e in events if e["event"] == "step"] == [2, 4, 5, 6, 8, 10]
    assert told[-1] == ("fit", 10, 10)
    assert torch.get_num_threads() == events[0]["threads"]


def test_early_stop_keeps_the_best(tmp_path: Path) -> None:
    """Training ends after epochs without gain, with the weights of the best epoch."""
    scores = iter([3.0, 1.0, 2.0, 2.0, 0.0])
    seen: list[dict[str, torch.Tensor]] = []
    network = toy_network()

    def measure(outputs: object) -> float:
        state = network.state_dict().items()
        seen.append({name: value.clone() for name, value in state})
        return next(scores)

    fit(
        network,
        ToyExamples(),
        FitSpec(epochs=9, early_stop=2, device="cpu"),
        loss=grading_loss(LossSpec(), RUBRIC),
        seed=0,
        folder=tmp_path,
        validation=ToyExamples(6),
        measure=measure,
    )

    assert len(seen) == 4
    assert all(torch.equal(seen[1][n], value) for n, value in network.state_dict().items())


def test_average_is_what_ends(tmp_path: Path) -> None:
    """With ema the result is not that of the last step."""
    toy_fit(tmp_path / "last", epochs=1)
    toy_fit(tmp_path / "mean", epochs=1, ema=0.5)

    last, mean = (load_file(tmp_path / n / "network.safetensors") for n in ("last", "mean"))
    assert not torch.equal(last["heads.0.weight"], mean["heads.0.weight"])
    assert torch.allclose(last["heads.0.weight"], mean["heads.0.weight"], atol=0.05)


def test_frozen_encoder_stays_for_its_epochs(tmp_path: Path) -> None:
    """Weights and running statistics of encoders begin to move after the frozen epochs."""
    start = toy_network().state_dict()
    seen: list[bool] = []
    network = toy_network()

    def measure(outputs: object) -> float:
        now = network.state_dict()
        names = [name for name in now if name.startswith("encoders.")]
        seen.append(all(torch.equal(start[name], now[name]) for name in names))
        return 0.0

    fit(
        network,
        ToyExamples(),
        FitSpec(epochs=3, freeze=2, device="cpu"),
        loss=grading_loss(LossSpec(), RUBRIC),
        seed=0,
        folder=tmp_path,
        validation=ToyExamples(6),
        measure=measure,
    )

    assert seen == [True, True, False]


def test_accumulated_batches_are_one_large_one(tmp_path: Path) -> None:
    """Two batches of equal weight and one of twice the size give the same gradient."""
    settings = {"epochs": 1, "clip": None, "lr": 1e-4, "schedule": "constant", "warmup": 0}
    states = []
    for name, batch, accumulate in (("one", 6, 1), ("two", 3, 2)):
        network = toy_network().eval()
        network.train = lambda *_, network=network: network  # no dropout, no batch norm
        fit(
            network,
            ToyExamples(6),
            FitSpec.model_validate(settings | {"batch": batch, "accumulate": accumulate}),
            loss=grading_loss(LossSpec(class_weights="none"), RUBRIC),
            seed=0,
            folder=tmp_path / name,
        )
        states.append(network.state_dict())

    assert torch.allclose(*(state["heads.0.bias"] for state in states), atol=2e-5)


def test_bf16_is_near_fp32(tmp_path: Path) -> None:
    """The precision of the forward pass hardly changes where a fit goes; weights stay float32."""
    toy_fit(tmp_path / "full", epochs=1)
    network = toy_fit(tmp_path / "half", epochs=1, precision="bf16")

    logs = [read_log(tmp_path / name) for name in ("full", "half")]
    totals = [[e["total"] for e in log if e["event"] == "validation"] for log in logs]
    assert totals[0] == pytest.approx(totals[1], abs=0.05)
    assert {torch.float32} == {weight.dtype for weight in network.parameters()}


def test_loss_that_is_no_number_ends_the_fit(tmp_path: Path) -> None:
    """The error tells the step and what may help."""
    with pytest.raises(FitError, match=r"loss is nan at step 1.*lower lr"):
        fit(
            toy_network(),
            ToyExamples(),
            FitSpec(epochs=1, log_every=1, device="cpu"),
            loss=lambda outputs, _: {"total": outputs["logits.grade"].sum() * torch.nan},
            seed=0,
            folder=tmp_path,
        )


def test_nothing_to_learn_from_is_refused(tmp_path: Path) -> None:
    """No examples is an error, not an empty network."""
    with pytest.raises(FitError, match="no examples"):
        fit(
            toy_network(),
            ToyExamples(0),
            FitSpec(),
            loss=grading_loss(LossSpec(), RUBRIC),
            seed=0,
            folder=tmp_path,
        )


def test_error_in_a_batch_comes_out(tmp_path: Path) -> None:
    """What goes wrong while a batch is prepared in the background is raised in the foreground."""

    class Broken(ToyExamples):
        def batch(self, *_: object, **__: object) -> dict[str, torch.Tensor]:
            raise OSError("pixels are gone")

    with pytest.raises(OSError, match="pixels are gone"):
        fit(
            toy_network(),
            Broken(),
            FitSpec(),
            loss=grading_loss(LossSpec(), RUBRIC),
            seed=0,
            folder=tmp_path,
        )


def test_fp16_on_a_cpu_is_refused(tmp_path: Path) -> None:
    """The error tells what to choose instead."""
    with pytest.raises(ValueError, match="choose precision bf16"):
        toy_fit(tmp_path, precision="fp16")


def test_early_stop_needs_validation(tmp_path: Path) -> None:
    """Asked to stop early without validation, a fit does not begin."""
    with pytest.raises(FitError, match="needs validation"):
        fit(
            toy_network(),
            ToyExamples(),
            FitSpec(early_stop=1),
            loss=grading_loss(LossSpec(), RUBRIC),
            seed=0,
            folder=tmp_path,
        )


def test_validation_without_examples_is_none(tmp_path: Path) -> None:
    """A fold that holds nothing for this network is trained all the same, without validation."""
    fit(
        toy_network(),
        ToyExamples(8),
        FitSpec(epochs=1, device="cpu"),
        loss=grading_loss(LossSpec(), RUBRIC),
        seed=0,
        folder=tmp_path,
        validation=ToyExamples(0),
    )

    assert "validation" not in {event["event"] for event in read_log(tmp_path)}


def test_mixup_of_points_is_refused(tmp_path: Path) -> None:
    """Points cannot be blended; the error comes before the first step."""
    network = heatmap.build(
        heatmap.Spec(backbone="tiny_conv", levels=(0, 1)), channels=1, points=1, seed=0
    )

    with pytest.raises(FitError, match="set mixup: 0"):
        fit(
            network,
            ToyExamples(),
            FitSpec(mixup=0.5),
            loss=grading_loss(LossSpec(), RUBRIC),
            seed=0,
            folder=tmp_path,
        )


def test_frozen_throughout_is_refused() -> None:
    """An encoder frozen in all epochs is a mistake."""
    with pytest.raises(ValidationError, match="less than epochs"):
        FitSpec(epochs=2, freeze=2)
