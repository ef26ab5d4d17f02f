"""Care of the store: what is there, why a step is new, what may go, what is damaged."""

import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from overread.pipeline.lock import is_held
from overread.pipeline.step import Step, in_order
from overread.pipeline.store import LOCK, Entry, Manifest, Store, StoreError

__all__ = ["Difference", "differences", "prune", "verify", "why"]

ABSENT = "(absent)"


@dataclass(frozen=True)
class Difference:
    """One setting in which two steps differ.

    Attributes:
        step: label of the step whose setting it is: the step itself or one that it reads.
        path: where in its settings, such as "fit.epochs"; "" when a whole input differs.
        old, new: the values; "(absent)" where there is none.
    """

    step: str
    path: str
    old: Any
    new: Any

    def __str__(self) -> str:
        """Return one line."""
        return f"{self.step}: {self.path or 'input'}: {self.old} -> {self.new}"


def differences(old: Any, new: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield (path, old, new) of each leaf in which two plain values differ.

    Example:
        >>> list(differences({"fit": {"lr": 1}}, {"fit": {"lr": 2}}))
        [('fit.lr', 1, 2)]
    """
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in sorted({*old, *new}):
            inner = f"{path}.{name}" if path else str(name)
            yield from differences(old.get(name, ABSENT), new.get(name, ABSENT), inner)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from differences(one, other, f"{path}[{index}]")
    elif old != new:
        yield path, old, new


@dataclass(frozen=True)
class _Node:
    """A step as planned or as remembered by a manifest: enough to compare."""

    label: str
    key: str
    version: int
    settings: Mapping[str, Any]
    inputs: Mapping[str, str]


def why(store: Store, label: str, planned: Iterable[Step] = ()) -> tuple[str, list[Difference]]:
    """Return what a step was compared with, and the settings that made it new.

    The planned step called `label` ("fit/a.fold0") is compared with the nearest other entry of the
    same name; without a plan, the newest entry with the nearest older one. Where inputs differ,
    the search goes on in them.

    Raises:
        StoreError: if neither plan nor store knows the step.
    """
    known = {node.key: node for node in (_of_entry(e.manifest) for e in _readable(store))}
    steps = {step.key: step for step in in_order(planned)}
    known |= {key: _of_step(step) for key, step in steps.items()}
    made = sorted((e.manifest.made, e.manifest.key) for e in _readable(store) if _label(e) == label)
    wanted = [key for key, step in steps.items() if step.label == label] or [
        key for _, key in made[-1:]
    ]
    if not wanted:
        labels = sorted(
            {_label(entry) for entry in _readable(store)} | {s.label for s in steps.values()}
        )
        raise StoreError(f"no step {label} in plan or store; known: {', '.join(labels) or 'none'}")
    new = known[wanted[0]]
    others = [known[key] for _, key in reversed(made) if key != new.key]
    if not others:
        return f"{label}-{new.key} is the first of its name", []
    ranked = [(list(_compare(other, new, known)), other) for other in others]
    found, nearest = min(ranked, key=lambda pair: len(pair[0]))
    return f"{label}-{new.key} compared with {label}-{nearest.key}", found


def _readable(store: Store) -> Iterator[Entry]:
    return (entry for entry in store.entries() if not entry.unreadable)


def _label(entry: Entry) -> str:
    return f"{entry.manifest.stage}/{entry.manifest.name}"


def _of_entry(manifest: Manifest) -> _Node:
    inputs = {role: known["key"] for role, known in manifest.inputs.items()}
    label = f"{manifest.stage}/{manifest.name}"
    return _Node(label, manifest.key, manifest.version, manifest.settings, inputs)


def _of_step(step: Step) -> _Node:
    inputs = {role: needed.key for role, needed in step.inputs.items()}
    return _Node(step.label, step.key, step.stage.version, step.settings, inputs)


def _compare(old: _Node, new: _Node, known: Mapping[str, _Node]) -> Iterator[Difference]:
    seen: set[tuple[str, str]] = set()

    def visit(one: _Node, other: _Node) -> Iterator[Difference]:
        if one.key == other.key or (one.key, other.key) in seen:
            return
        seen.add((one.key, other.key))
        if one.version != other.version:
            yield Difference(other.label, "stage version", one.version, other.version)
        for path, before, after in differences(one.settings, other.settings):
            yield Difference(other.label, path, before, after)
        for role in sorted({*one.inputs, *other.inputs}):
            before, after = one.inputs.get(role, ABSENT), other.inputs.get(role, ABSENT)
            if before in known and after in known:
                yield from visit(known[before], known[after])
            elif before != after:
                yield Difference(other.label, f"input {role}", before, after)

    yield from visit(old, new)


def prune(store: Store, keep: Iterable[Step], *, dry: bool) -> list[Path]:
    """Remove entries and leftovers that no kept step names, and return them.

    What a living process works on stays.
    """
    wanted = {step.id for step in in_order(keep)}
    entries = {e.folder: e for e in store.entries() if e.id not in wanted}
    folders = [*entries]
    folders += [path for path in store.leftovers() if _stem(path) not in wanted]
    folders += [path for path in store.leftovers() if path.name.endswith(".damaged")]
    removed = []
    for folder in dict.fromkeys(folders):
        if is_held(folder.with_name(folder.name.partition(".partial")[0] + LOCK)):
            continue
        removed.append(folder)
        if not dry:
            if folder in entries:
                store.remove(entries[folder])
            else:
                shutil.rmtree(folder)
            store.write_log(event="pruned", step=f"{folder.parent.name}/{folder.name}")
    return removed


def _stem(leftover: Path) -> str:
    name = leftover.name.removesuffix(".partial").removesuffix(".damaged")
    return f"{leftover.parent.name}/{name}"


def verify(store: Store) -> tuple[int, list[str]]:
    """Re-hash every file of every entry; return how many entries there are, and the faults."""
    entries = list(store.entries())
    return len(entries), [fault for entry in entries for fault in entry.faults(content=True)]
