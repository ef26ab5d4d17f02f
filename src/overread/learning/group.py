"""Who takes part in a fit: this process alone, or one of several that train one network.

A process is told once, around the fit; nothing here opens a connection.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

__all__ = ["ALONE", "Group", "current_group", "joined"]


@dataclass(frozen=True)
class Group:
    """One process of a fit.

    Attributes:
        rank, size: the how-many-eth, from 0, of how many; the first writes the files.
        address, port: where the first can be reached.
        place: number of this process on its machine, which is the number of its GPU.
    """

    rank: int = 0
    size: int = 1
    address: str = "127.0.0.1"
    port: int = 0
    place: int = 0

    @property
    def first(self) -> bool:
        """Whether this process writes the files."""
        return self.rank == 0

    def share(self, count: int) -> range:
        """Return which of `count` things in a row are this process's; none where there are few.

        Example:
            >>> [list(Group(rank, 2).share(3)) for rank in (0, 1)]
            [[0], [1, 2]]
        """
        return range(self.rank * count // self.size, (self.rank + 1) * count // self.size)


ALONE = Group()
_group: ContextVar[Group] = ContextVar("group", default=ALONE)


def current_group() -> Group:
    """Return the group that this process has joined."""
    return _group.get()


@contextmanager
def joined(group: Group) -> Iterator[None]:
    """Take part in the fits of a block as one of a group."""
    token = _group.set(group)
    try:
        yield
    finally:
        _group.reset(token)
