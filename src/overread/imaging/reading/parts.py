"""The studies of a folder, read one after the other, so that memory does not grow with them."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from overread.imaging.reading.report import Reading
from overread.records import Finding

__all__ = ["Parts", "joined"]


@dataclass(frozen=True)
class Parts:
    """Parts of a folder that share no study: each is read when it is asked for.

    Attributes:
        findings: about files and folders that belong to no study.
        members: what `read` takes.
        read: returns a part: in most cases one study and what is odd about it.
    """

    findings: tuple[Finding, ...]
    members: Sequence[Any]
    read: Callable[[Any], Reading]

    @classmethod
    def of(cls, reading: Reading) -> "Parts":
        """Return the parts of what was read already: its studies."""
        known = {study.id for study in reading.studies}
        rest = tuple(one for one in reading.findings if one.study not in known)
        told = defaultdict(list)
        for one in reading.findings:
            told[one.study].append(one)
        return cls(rest, reading.studies, lambda one: Reading((one,), tuple(told[one.id])))

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.members)

    def __iter__(self) -> Iterator[Reading]:
        """Read part after part."""
        return map(self.read, self.members)

    def then(self, change: Callable[[Reading], Reading]) -> "Parts":
        """Return the same parts, each changed when it is read."""
        return Parts(self.findings, self.members, lambda member: change(self.read(member)))


def joined(links: Iterable[tuple[str, str]], names: Iterable[str]) -> list[list[str]]:
    """Return groups of names, those together that links join, in the order of `names`.

    Example:
        >>> joined([("a", "x"), ("c", "x")], ["a", "b", "c"])
        [['a', 'c'], ['b']]
    """
    above: dict[str, str] = {}

    def top(name: str) -> str:
        while (other := above.get(name, name)) != name:
            above[name] = above.get(other, other)  # half the way for the next one
            name = other
        return name

    for one, other in links:
        if top(one) != top(other):
            above[top(other)] = top(one)
    groups: dict[str, list[str]] = defaultdict(list)
    for name in names:
        groups[top(name)].append(name)
    return list(groups.values())
