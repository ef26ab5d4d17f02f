"""The shelf of foreign systems: a file each turns a folder of their checkpoints into a bundle.

A module offers `Spec` and `import_bundle(spec, folder)`. Only tensors are read, nothing is run.
"""

from pathlib import Path
from typing import Any

from overread.inference.bundle import Bundle
from overread.inference.importing.checkpoints import ImportFaultsError
from overread.shelf import Named, settings_of

__all__ = ["ImportFaultsError", "import_weights"]


def import_weights(name: str, folder: Path, output: Path, **settings: Any) -> str:
    """Write the bundle of a foreign system and return its hash.

    Args:
        name: of the system, a file of this shelf.
        folder: with its checkpoints.
        output: a new folder; nothing stands there until all of it does.
        settings: of the system's Spec.

    Raises:
        ImportFaultsError: with a line for each file that is missing, foreign or refused.
        BundleError: if something is at `output` already.
    """
    room = "overread.inference.importing"
    module, spec = settings_of(room, Named.model_validate({"use": name, **settings}))
    bundle: Bundle = module.import_bundle(spec, folder)
    return bundle.save(output)
