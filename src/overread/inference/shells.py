"""Networks around given weights: built once for all that are alike, and never filled twice.

The weights are taken as they are, so those that are mapped from a file stay there until they are
used, and a machine can hold more networks than it has memory. Files are not known here.
"""

import copy
from collections.abc import Callable, Mapping

from torch import Tensor, nn

__all__ = ["Shells"]


class Shells:
    """Empty networks by kind."""

    def __init__(self) -> None:
        self._empty: dict[str, nn.Module] = {}

    def filled(
        self, kind: str, build: Callable[[], nn.Module], state: Mapping[str, Tensor]
    ) -> nn.Module:
        """Return a network that answers, with these weights.

        Args:
            kind: networks of one kind are alike but for their weights.
            build: makes one.
            state: weights; those of another precision are converted.

        Raises:
            RuntimeError: if names or shapes do not fit.
        """
        if kind not in self._empty:
            self._empty[kind] = _emptied(build())
        network = copy.deepcopy(self._empty[kind])
        own = network.state_dict()
        network.load_state_dict(
            {
                name: value.to(own[name].dtype) if name in own else value
                for name, value in state.items()
            },
            assign=True,
        )
        return network.eval().requires_grad_(requires_grad=False)


def _emptied(network: nn.Module) -> nn.Module:
    """Take the weights out of a network; what no file holds stays in it."""
    state = {name: value.to("meta") for name, value in network.state_dict().items()}
    network.load_state_dict(state, assign=True)
    return network
