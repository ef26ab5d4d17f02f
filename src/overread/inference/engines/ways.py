"""A way to run a network: which engine, in which precision. Engines are not opened here."""

import importlib.util
from typing import Literal

from pydantic import model_validator

from overread.shelf import Spec

__all__ = ["ENGINES", "PRECISIONS", "WAYS", "EngineError", "Way", "is_installed", "refuse_missing"]

Engine = Literal["eager", "compiled", "onnx", "openvino"]
Precision = Literal["fp32", "bf16", "int8"]
# What each engine can do on a CPU; ONNX Runtime has no bf16 convolutions there.
PRECISIONS: dict[str, tuple[Precision, ...]] = {
    "eager": ("fp32", "bf16"),
    "compiled": ("fp32", "bf16"),
    "onnx": ("fp32", "int8"),
    "openvino": ("fp32", "bf16", "int8"),
}
ENGINES = tuple(PRECISIONS)
NEEDS = {"onnx": "onnxruntime", "openvino": "openvino"}


class EngineError(ValueError):
    """An engine that is not there, or cannot do what is asked."""


class Way(Spec):
    """How a network is run.

    Attributes:
        engine: "eager" (torch, as it was trained), "compiled" (torch.compile), "onnx" (ONNX
            Runtime) or "openvino".
        precision: "fp32", "bf16" (weights and sums that matter stay fp32) or "int8" (of
            convolutions and matrix products, calibrated on studies).
    """

    engine: Engine = "eager"
    precision: Precision = "fp32"

    @model_validator(mode="after")
    def _agree(self) -> "Way":
        if self.precision not in PRECISIONS[self.engine]:
            known = ", ".join(PRECISIONS[self.engine])
            raise ValueError(
                f"engine {self.engine} cannot run {self.precision} on a CPU; expected {known}"
            )
        return self

    @property
    def written(self) -> bool:
        """Whether it runs a graph that was written down, and no torch network."""
        return self.engine in NEEDS

    def __str__(self) -> str:
        """Return it for people, such as "onnx int8"."""
        return f"{self.engine} {self.precision}"


WAYS = tuple(
    Way(engine=engine, precision=precision)
    for engine, known in PRECISIONS.items()
    for precision in known
)


def is_installed(way: Way) -> bool:
    """Return whether the engine's library is there; graphs are also written by `onnx`."""
    return way.engine not in NEEDS or importlib.util.find_spec(NEEDS[way.engine]) is not None


def refuse_missing(way: Way) -> None:
    """Refuse an engine whose library is not there.

    Raises:
        EngineError: with what to install.
    """
    if not is_installed(way):
        raise EngineError(
            f"engine {way.engine} needs the library {NEEDS[way.engine]}, which is not installed; "
            "pip install overread[export], or grade the bundle that this one was exported from"
        )
