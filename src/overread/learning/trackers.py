"""TensorBoard and MLflow, imported only where a recipe asks for them.

Numbers only: no pictures, no names of patients, studies or files.
"""

import os
from pathlib import Path
from typing import Any, Protocol

__all__ = ["Follower", "follow"]


class Follower(Protocol):
    """Something that draws numbers."""

    def numbers(self, step: int, numbers: dict[str, float]) -> None:
        """Take the numbers of a step."""

    def close(self) -> None:
        """Write what is left."""


class TensorBoard:
    """Event files in `tensorboard/`."""

    def __init__(self, folder: Path) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.writer: Any = SummaryWriter(str(folder / "tensorboard"))

    def numbers(self, step: int, numbers: dict[str, float]) -> None:
        """Write each number as a scalar."""
        for name, value in numbers.items():
            self.writer.add_scalar(name, value, step)

    def close(self) -> None:
        """Close the event file."""
        self.writer.close()


class MLflow:
    """A run on the server whose address is in MLFLOW_TRACKING_URI.

    The run's id is kept in the folder, so that a resume goes on with it.
    """

    def __init__(self, folder: Path) -> None:
        from mlflow import MlflowClient

        address = os.environ.get("MLFLOW_TRACKING_URI")
        if not address:
            raise ValueError(
                "track: mlflow needs the address of a server in MLFLOW_TRACKING_URI; found none: "
                "set it, or leave mlflow out of `track` (log.jsonl is always written)"
            )
        self.client: Any = MlflowClient(address)
        note = folder / "mlflow-run"
        if not note.exists():
            note.write_text(self.client.create_run("0").info.run_id, encoding="utf-8")
        self.run = note.read_text(encoding="utf-8")

    def numbers(self, step: int, numbers: dict[str, float]) -> None:
        """Write each number as a metric."""
        for name, value in numbers.items():
            self.client.log_metric(self.run, name, value, step=step)

    def close(self) -> None:
        """End the run."""
        self.client.set_terminated(self.run)


def follow(name: str, folder: Path) -> Follower:
    """Return the tracker called `name`, which writes below `folder`.

    Raises:
        ModuleNotFoundError: if it is not installed; the words tell what to install.
    """
    try:
        return TensorBoard(folder) if name == "tensorboard" else MLflow(folder)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"track: {name} needs a library that is not installed ({error.name}); "
            "pip install overread[trackers], or leave it out of `track`"
        ) from error
