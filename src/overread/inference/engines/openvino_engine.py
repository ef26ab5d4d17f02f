"""OpenVINO: runs graphs. Known in this file only.

Its converters, which nobody needs here, report to their makers when they are imported; they are
kept out, so that nothing is sent anywhere. What a graph means is not known here.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overread.inference.engines.onnx_engine import Arrays, Ask
from overread.inference.engines.ways import Precision

__all__ = ["open_with_openvino"]

# int8 stands in the graph itself; what is not int8 there is computed in fp32.
CONVERTERS = ("openvino.tools.ovc", "openvino_telemetry")
HINTS = {"fp32": "f32", "bf16": "bf16", "int8": "f32"}


def open_with_openvino(path: Path, precision: Precision, *, threads: int) -> Ask:
    """Return what runs a graph: {input: array} -> {output: array}.

    Args:
        path: of the ONNX file.
        precision: of the arithmetic.
        threads: that one run uses.
    """
    with _without_converters():
        import openvino

    core = openvino.Core()
    settings: dict[str, Any] = {
        "INFERENCE_PRECISION_HINT": HINTS[precision],
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
        "CPU_DENORMALS_OPTIMIZATION": "YES",
    }
    model = core.compile_model(core.read_model(path.as_posix()), "CPU", settings)
    request = model.create_infer_request()
    names = [port.get_any_name() for port in model.outputs]
    wanted = {name for port in model.inputs for name in port.get_names()}

    def ask(inputs: Arrays) -> dict[str, NDArray[np.float32]]:
        given = {name: value for name, value in inputs.items() if name in wanted}
        found = request.infer(given, share_inputs=True)
        return {name: np.array(found[index]) for index, name in enumerate(names)}

    return ask


@contextmanager
def _without_converters() -> Iterator[None]:
    """Let an import of the converters fail, which OpenVINO takes as their not being installed."""
    kept_out = [name for name in CONVERTERS if name not in sys.modules]
    blocked: dict[str, Any] = dict.fromkeys(kept_out)
    sys.modules.update(blocked)
    try:
        yield
    finally:
        for name in kept_out:
            sys.modules.pop(name, None)
