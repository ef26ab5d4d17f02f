"""How the networks of a bundle are run: by torch, ONNX Runtime or OpenVINO, in which precision.

Each engine has a file of its own here. What is asked of networks, and what their answers mean, is
not known here: a network in another engine takes and gives what the network itself does.
"""

import typing

from overread import shelf

if typing.TYPE_CHECKING:
    from overread.inference.engines.cache import cached_bundle, host, tuning_folder
    from overread.inference.engines.exporting import Exported, ExportError, ExportSpec, export
    from overread.inference.engines.graph import Form, Graph
    from overread.inference.engines.parity import (
        METRICS,
        Parity,
        ParitySpec,
        compare_grades,
        score_both,
    )
    from overread.inference.engines.racing import Race, race
    from overread.inference.engines.tuning import TuneSpec, Tuning, tune
    from overread.inference.engines.ways import EngineError, Way, is_installed
else:
    __getattr__ = shelf.open_when_used(__name__)

__all__ = [
    "METRICS",
    "EngineError",
    "ExportError",
    "ExportSpec",
    "Exported",
    "Form",
    "Graph",
    "Parity",
    "ParitySpec",
    "Race",
    "TuneSpec",
    "Tuning",
    "Way",
    "cached_bundle",
    "compare_grades",
    "export",
    "host",
    "is_installed",
    "race",
    "score_both",
    "tune",
    "tuning_folder",
]
