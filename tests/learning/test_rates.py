"""Learning rates and the optimiser's groups."""

import pytest
import torch
from toy_fit import toy_network

from overread.learning import FitSpec
from overread.learning.optimise import build_optimiser, rate, set_rate


def rates(steps: int, **settings: object) -> list[float]:
    spec = FitSpec.model_validate(settings)
    return [rate(spec, step, steps) for step in range(steps)]


@pytest.mark.parametrize("steps", [12, 37, 200])
@pytest.mark.parametrize("warmup", [0.1, 0.3])
def test_one_cycle_is_torchs(steps: int, warmup: float) -> None:
    """The rate equals PyTorch's OneCycleLR at each step."""
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    reference = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, max_lr=1.0, total_steps=steps, pct_start=warmup, cycle_momentum=False
    )
    expected = []
    for _ in range(steps):
        expected.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        if len(expected) < steps:
            reference.step()

    assert expected == pytest.approx(rates(steps, schedule="one_cycle", warmup=warmup))


def test_cosine_rises_and_falls_to_nothing() -> None:
    """Up in a line over the warm-up, down to nearly 0."""
    found = rates(100, schedule="cosine", warmup=0.1)

    assert found[:10] == sorted(found[:10])
    assert max(found) == pytest.approx(1, abs=0.01)
    assert found[-1] < 0.001


def test_constant_stays() -> None:
    """Without warm-up the rate is the same throughout; with it, after it."""
    assert {1.0} == set(rates(9, schedule="constant", warmup=0))
    assert {1.0} == set(rates(10, schedule="constant", warmup=0.5)[5:])


@pytest.mark.parametrize("growth", [1, 2])
def test_restarts_are_torchs(growth: int) -> None:
    """The rate equals PyTorch's CosineAnnealingWarmRestarts, told parts of epochs."""
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    optimiser.step()
    reference = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(
        optimiser, T_0=5, T_mult=growth, eta_min=0.01
    )
    expected = []
    for step in range(60):
        reference.step(step / 4)
        expected.append(optimiser.param_groups[0]["lr"])
    found = rates(60, schedule="restarts", epochs=15, cycle=5, cycle_growth=growth, lowest=0.01)

    assert expected == pytest.approx(found)


def test_restarts_may_rise_first_and_reach_less_each_time() -> None:
    """The published custom schedule: a warm-up in each cycle, whose peak decays."""
    found = rates(40, schedule="restarts", epochs=20, cycle=10, cycle_warmup=2, cycle_decay=0.5)

    assert found[:5] == pytest.approx([0, 0.25, 0.5, 0.75, 1])
    assert found[20:25] == pytest.approx([0, 0.125, 0.25, 0.375, 0.5])
    assert found[4:20] == sorted(found[4:20], reverse=True)


def test_steps_are_torchs() -> None:
    """The rate equals PyTorch's StepLR at each epoch."""
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    reference = torch.optim.lr_scheduler.StepLR(optimiser, step_size=3, gamma=0.5)
    expected = []
    for _ in range(10):
        expected.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        reference.step()
    found = rates(70, schedule="steps", epochs=10, cycle=3, cycle_decay=0.5)

    assert expected == pytest.approx(found[::7])
    assert expected == pytest.approx(found[6::7])


def test_a_cycle_is_longer_than_its_warmup() -> None:
    """A warm-up that fills the cycle is refused."""
    with pytest.raises(ValueError, match="cycle_warmup"):
        FitSpec(schedule="restarts", cycle=2, cycle_warmup=2)


@pytest.mark.parametrize("schedule", ["one_cycle", "cosine", "constant", "restarts", "steps"])
@pytest.mark.parametrize("steps", [1, 2, 3])
def test_very_short_fits_have_rates(schedule: str, steps: int) -> None:
    """One to three steps give finite rates between 0 and 1, not all 0."""
    found = rates(steps, schedule=schedule)

    assert all(0 <= value <= 1 for value in found)
    assert max(found) > 0


def test_vectors_do_not_decay_and_encoders_have_their_rate() -> None:
    """Biases, norms and exponents have no weight decay; encoders have their factor."""
    network = toy_network()
    optimiser = build_optimiser(network, FitSpec(weight_decay=0.1, encoder_lr=0.5))
    names = {id(weight): name for name, weight in network.named_parameters()}
    set_rate(optimiser, 0.01)

    seen = 0
    for group in optimiser.param_groups:
        for weight in group["params"]:
            seen += 1
            encoder = names[id(weight)].startswith("encoders.")
            assert group["weight_decay"] == (0.1 if weight.ndim > 1 else 0)
            assert group["lr"] == pytest.approx(0.005 if encoder else 0.01)
    assert len(names) == seen
