"""Networks with the head CT original's weights give the original's answers, on every file."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from golden_files import golden_files, inputs, record
from torch import Tensor

from overread.inference.importing.checkpoints import read_checkpoint
from overread.models import ViewShape
from overread.models.published_head_ct import foreign_slice_names, slice_weights
from overread.models.stack_channels import Spec, build
from overread.models.stack_network import StackChannels

POOLS = {"avg": "average", "gem": "gem", "concat": "concat"}
pytestmark = pytest.mark.slow


def network_of(golden: dict[str, Any], size: int) -> StackChannels:
    """Ours, of the same kind: a head of two grades for each of their classes."""
    meta = golden["meta"]
    spec = Spec(
        backbone=f"legacy_{meta['encoder'].replace('se_', 'se')}",
        pool=POOLS[meta["pool_type"]],  # type: ignore[arg-type]
        gate=8,
    )
    heads = {str(number): 2 for number in range(meta["num_classes"])}
    return build(spec, inputs={"st": ViewShape(1, 3, size, size)}, heads=heads, seed=0).eval()


def compare(found: Tensor, expected: Any, tolerance: float) -> None:
    """Compare a tensor with a list, or with samples of it."""
    values = found.numpy()
    if isinstance(expected, dict):
        assert list(values.shape) == expected["shape"]
        values, expected = values.ravel()[expected["sample_indices"]], expected["sample"]
    assert np.abs(values - np.array(expected)).max() < tolerance


@pytest.mark.parametrize("path", golden_files("ich_se"))
def test_answers(path: Path, tmp_path: Path) -> None:
    """Read from a checkpoint file, the gate's input and the logits agree to 1e-4."""
    golden = record(path)
    source = golden["inputs"]["x"]
    filled = inputs().fill(golden["entries"])
    state = {name: torch.tensor(np.asarray(value)) for name, value in filled.items()}
    torch.save(
        {"model": {f"module.{name}": one for name, one in state.items()}}, tmp_path / "x.pth"
    )
    state = read_checkpoint(tmp_path / "x.pth")
    network = network_of(golden, source["shape"][-1])
    network.load_state_dict(slice_weights(state, network))
    pixels = torch.tensor(inputs().images(source["seed"], tuple(source["shape"])))
    pooled: list[Tensor] = []
    network.gate.register_forward_pre_hook(lambda _, given: pooled.append(given[0]))
    with torch.inference_mode():
        outputs = network({"st": pixels[:, None].float(), "st.mask": torch.ones(len(pixels), 1)})
    logits = torch.stack([outputs[f"logits.{name}"] for name in network.targets], 1)

    assert foreign_slice_names(state) == []
    compare(pooled[0], golden["outputs"]["pooled"], 1e-3)
    compare(logits[..., 1] - logits[..., 0], golden["outputs"]["logits"], 1e-4)
