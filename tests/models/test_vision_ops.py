"""torchvision can be imported whatever state its compiled part is in."""

import subprocess
import sys

from overread.models import declare_vision_operators


def test_torchvision_imports_in_a_fresh_process() -> None:
    """After the declaration importing torchvision and timm neither fails nor warns."""
    program = (
        "from overread.models import declare_vision_operators as declare\n"
        "declare(); declare()\n"
        "import torchvision, timm\n"
    )

    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], check=False, capture_output=True, text=True
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_second_declaration_does_nothing() -> None:
    """Declaring again declares nothing."""
    declare_vision_operators()

    assert declare_vision_operators() == ()


def test_models_room_does_not_import_timm() -> None:
    """Importing the room is cheap: timm and torchvision wait until a network is built."""
    program = (
        "import sys, overread.models.slice_attention, overread.models.heatmap\n"
        "print([name for name in ('timm', 'torchvision') if name in sys.modules])\n"
    )

    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)

    assert done.stdout == b"[]\n"
