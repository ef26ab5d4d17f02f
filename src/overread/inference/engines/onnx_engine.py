"""ONNX Runtime: runs graphs, and turns a graph into one of whole numbers. Known in this file only.

What a graph means is not known here.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Arrays", "Ask", "open_with_onnx", "quantise"]

Arrays = Mapping[str, NDArray[Any]]
Ask = Callable[[Arrays], dict[str, NDArray[np.float32]]]
# What is worth whole numbers; the rest stays as it is.
QUANTISED = ("Conv", "MatMul", "Gemm")
ERRORS_ONLY = 3


def open_with_onnx(path: Path, *, threads: int) -> Ask:
    """Return what runs a graph: {input: array} -> {output: array}.

    Args:
        path: of the ONNX file.
        threads: that one run uses.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = ERRORS_ONLY
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    # Other networks, and torch, want the cores between two runs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(
        path.as_posix(), options, providers=["CPUExecutionProvider"]
    )
    names = [one.name for one in session.get_outputs()]
    wanted = {one.name for one in session.get_inputs()}

    def ask(inputs: Arrays) -> dict[str, NDArray[np.float32]]:
        given = {name: value for name, value in inputs.items() if name in wanted}
        return dict(zip(names, session.run(names, given), strict=True))

    return ask


def quantise(source: Path, target: Path, samples: Sequence[Arrays]) -> None:
    """Write a graph whose convolutions and matrix products are of int8.

    Weights by channel and symmetric; activations by the least and greatest value seen. The result
    holds pairs of quantise and dequantise, which ONNX Runtime and OpenVINO both turn into int8.

    Args:
        source: a graph in fp32.
        target: where the result is written.
        samples: inputs that the graph was given for studies.
    """
    import onnx
    from onnxruntime.quantization import (
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_static,
    )
    from onnxruntime.quantization.shape_inference import quant_pre_process

    wanted = {one.name for one in onnx.load(source).graph.input}

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.rest: Iterator[Arrays] = iter(
                [{name: one[name] for name in wanted} for one in samples]
            )

        def get_next(self) -> Arrays | None:
            return next(self.rest, None)

    prepared = target.with_suffix(".prepared.onnx")
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)  # it advises on the root logger
    try:
        quant_pre_process(source, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            target,
            Reader(),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(QUANTISED),
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            extra_options={"ActivationSymmetric": False, "WeightSymmetric": True},
        )
    finally:
        root.setLevel(level)
        prepared.unlink(missing_ok=True)
