"""What the tests of engines share: a small saved bundle and forged studies, made once."""

from pathlib import Path

import pytest
from tiny_recipe import bundle, member

from overread.inference import Bundle
from overread.phantoms import forge_lumbar


@pytest.fixture(scope="session")
def lumbar_bundle(tmp_path_factory) -> Bundle:
    """A saved bundle of one fold; one member sees slices, the other stacks them as channels."""
    folder = tmp_path_factory.mktemp("bundles") / "lumbar"
    stacked = member("none", model={"use": "stack_channels", "backbone": "tiny_conv"})
    bundle(
        1,
        members={
            "wide": member("average"),
            "stacked": stacked.model_copy(update={"views": ("top",)}),
        },
        ensembles={"both": {"use": "mean", "of": ["wide", "stacked"]}},
        final="both",
    ).save(folder)
    return Bundle.load(folder)


@pytest.fixture(scope="session")
def two_studies(tmp_path_factory) -> Path:
    """A folder of two forged studies with their labels."""
    folder = tmp_path_factory.mktemp("forged") / "studies"
    forge_lumbar(folder, num_studies=2, seed=5, workers=1)
    return folder
