"""Names of timm's networks are known without importing it."""

import subprocess
import sys

from overread.models import is_spelled


def test_networks_and_their_weights_are_found() -> None:
    """With and without the weights; never a name that only begins alike."""
    assert is_spelled("convnext_tiny")
    assert is_spelled("tf_efficientnet_b6.ns_jft_in1k")
    assert not is_spelled("convnext_tin")
    assert not is_spelled("convnext_tiny.ns_jft_in1k")


def test_a_recipe_of_known_backbones_imports_no_timm() -> None:
    """Reading and planning the largest recipe leaves timm alone."""
    script = (
        "import sys, pathlib, tempfile\n"
        "from overread.pipeline import plan, read_recipe, shipped_recipes\n"
        "folder = pathlib.Path(tempfile.mkdtemp())\n"
        "plan(read_recipe(shipped_recipes()['lumbar_3rd_place']), folder, folder / 'store')\n"
        "print('timm' in sys.modules)\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert said.stdout.strip() == "False"
