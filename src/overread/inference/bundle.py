"""A bundle: all that grading a new study takes, in one folder, without any code in it.

How a study is graded is not known here.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property, partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from overread.ensembling import ConformalSpec, DecisionSpec
from overread.imaging import ViewSpec
from overread.inference.asking import Network, look_together
from overread.inference.bundle_files import (
    BundleError,
    read_arrays,
    read_checked,
    read_state,
    write_checked,
)
from overread.inference.engines.graph import GRAPH, Graph, read_engines, write_engines
from overread.inference.engines.graph_network import open_graph
from overread.inference.engines.ways import Way
from overread.inference.ensemble import EnsembleSpec
from overread.inference.locator import LocatorSpec
from overread.inference.member import (
    MemberSpec,
    member_heads,
    member_network,
    units_at_once,
    view_shapes,
)
from overread.inference.table_spec import TableSpec
from overread.records import Derived, Rubric, Target
from overread.shelf import Named, Spec, take

if TYPE_CHECKING:
    from torch import Tensor, nn

    from overread.inference.shells import Shells

__all__ = ["Bundle", "BundleRecipe", "rubric_from_json", "rubric_to_json"]

State: TypeAlias = "Mapping[str, Tensor]"
THRESHOLDS = "sets/thresholds"
S = TypeVar("S", LocatorSpec, MemberSpec)


class BundleRecipe(Spec):
    """The part of a resolved recipe that grading needs.

    Attributes:
        name: of the recipe.
        dataset: whose way of opening new studies, roles and rubric are used.
        locators, views, members: as in the recipe.
        tables: members whose answers are given as tables, not by networks.
        ensembles: as in the recipe.
        final: the predictor whose answers are given.
        sets: how sets of grades are made; None = none are.
        decisions: what can be done about a grade, and what mistakes cost; None = nothing is said.
    """

    name: str
    dataset: Named
    locators: Mapping[str, LocatorSpec] = {}
    views: Mapping[str, ViewSpec] = {}
    members: Mapping[str, MemberSpec] = {}
    tables: Mapping[str, TableSpec] = {}
    ensembles: Mapping[str, EnsembleSpec] = {}
    final: str
    sets: ConformalSpec | None = None
    decisions: DecisionSpec | None = None


@dataclass(frozen=True, eq=False)
class Bundle:
    """All that grading takes.

    Attributes:
        recipe: settings.
        rubric: what is graded.
        locators, members: {name: {fold: state dict}}.
        joiners: {ensemble: {name: array}}, what the ensembles learnt.
        card: for people: data counts, scores with intervals, date, versions; plain JSON.
        thresholds: {name: array} of sets of grades and of decisions, learnt from all units with
            labels.
        hash: over everything; empty until saved.
        graphs: {part: {fold: file}} of parts that were written down for another engine, in place of
            their state dicts. A part is "locator-{name}" or "member-{name}".
        ways: {part: way} of parts that torch runs otherwise than eagerly.
        stand_ins: {part: {fold: network}} that answer in place of the bundle's own; never saved.
    """

    recipe: BundleRecipe
    rubric: Rubric
    locators: Mapping[str, Mapping[int, State]]
    members: Mapping[str, Mapping[int, State]]
    joiners: Mapping[str, Mapping[str, NDArray[np.generic]]] = field(default_factory=dict)
    card: Mapping[str, Any] = field(default_factory=dict)
    hash: str = ""
    thresholds: Mapping[str, NDArray[np.generic]] = field(default_factory=dict)
    graphs: Mapping[str, Mapping[int, Graph]] = field(default_factory=dict)
    ways: Mapping[str, Way] = field(default_factory=dict)
    stand_ins: Mapping[str, Mapping[int, Network]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check that each locator and member has networks."""
        for kind, name, states in self._states():
            if not (states or self.graphs.get(f"{kind}-{name}")):
                raise BundleError(f"bundle {self.recipe.name}: {kind} {name} has no network")

    @property
    def folds(self) -> tuple[int, ...]:
        """The folds that the members have networks of."""
        found = {fold for states in self.members.values() for fold in states}
        parts = [f"member-{name}" for name in self.recipe.members]
        found |= {fold for part in parts for fold in self.graphs.get(part, ())}
        return tuple(sorted(found))

    def _states(self) -> Iterator[tuple[str, str, Mapping[int, State]]]:
        """Yield kind, name and weights of all that have networks of their own."""
        for name, spec in self.recipe.locators.items():
            if not spec.of:
                yield "locator", name, self.locators.get(name, {})
        for name in self.recipe.members:
            yield "member", name, self.members.get(name, {})

    @property
    def needs_torch(self) -> bool:
        """Whether torch runs any of the networks."""
        return any(states for _, _, states in self._states()) or bool(self.stand_ins)

    def networks(self) -> dict[str, dict[int, Network]]:
        """Return all networks: {part: {fold: network}}."""
        found = {f"locator-{name}": nets for name, nets in self._locator_networks.items() if nets}
        return found | {f"member-{name}": nets for name, nets in self._member_networks.items()}

    def locator_networks(self, name: str, fold: int | None = None) -> list[Network]:
        """Return the networks of a locator, or of its parts: of one fold, or of all."""
        spec, locators = self.recipe.locators[name], self.recipe.locators
        return [
            look_together(spec, locators[part], network)
            for part in spec.of or (name,)
            for own, network in self._locator_networks[part].items()
            if fold in (None, own)
        ]

    def member_networks(self, name: str, fold: int | None = None) -> list[Network]:
        """Return the networks of a member: of one fold, or of all."""
        networks = self._member_networks[name]
        return list(networks.values()) if fold is None else [networks[fold]]

    @cached_property
    def _locator_networks(self) -> dict[str, dict[int, Network]]:
        filled = _Filled()
        found: dict[str, dict[int, Network]] = {}
        for name, spec in self.recipe.locators.items():
            kind = repr((spec.model, spec.channels, spec.maps, spec.turned))
            fill = partial(filled, kind, partial(_build_locator, spec))
            found[name] = {} if spec.of else self._ready("locator", name, fill)
        return found

    @cached_property
    def _member_networks(self) -> dict[str, dict[int, Network]]:
        filled, views = _Filled(), self.recipe.views
        found: dict[str, dict[int, Network]] = {}
        for name, spec in self.recipe.members.items():
            units = units_at_once(self.rubric, spec)
            asked = (view_shapes(spec, views), member_heads(self.rubric, spec), units)
            kind = repr((spec.model, spec.embeds, *asked))
            build = partial(_build_member, spec, views, self.rubric)
            found[name] = self._ready("member", name, partial(filled, kind, build))
        return found

    def _ready(
        self, kind: str, name: str, fill: "Callable[[State], nn.Module]"
    ) -> dict[int, Network]:
        """Return the networks of a part: those that stand in, its graphs, or torch's own."""
        part = f"{kind}-{name}"
        if part in self.stand_ins:
            return dict(self.stand_ins[part])
        if part in self.graphs:
            return {fold: open_graph(graph) for fold, graph in self.graphs[part].items()}
        from overread.inference.engines.running import in_way

        states = (self.locators if kind == "locator" else self.members)[name]
        way = self.ways.get(part, Way())
        return {
            fold: in_way(_loaded(fill, state, f"{name}, fold {fold}"), way)
            for fold, state in states.items()
        }

    def save(self, folder: Path) -> str:
        """Write the bundle to a new folder and return its hash.

        Raises:
            BundleError: if something is there already.
        """
        content = {
            "recipe": self.recipe.model_dump(mode="json"),
            "rubric": rubric_to_json(self.rubric),
            "card": {"versions": _versions(), **self.card},
            **write_engines(self.graphs, self.ways),
        }
        states = {
            f"networks/{kind}-{name}-{fold}": state
            for kind, table in (("locator", self.locators), ("member", self.members))
            for name, folds in table.items()
            for fold, state in folds.items()
        }
        arrays = {f"joiners/{name}": table for name, table in self.joiners.items() if table}
        if self.thresholds:
            arrays[THRESHOLDS] = self.thresholds
        graphs = {
            f"networks/{part}-{fold}{GRAPH}": graph.path
            for part, folds in self.graphs.items()
            for fold, graph in folds.items()
        }
        return write_checked(folder, content, states, arrays, copies=graphs)

    @staticmethod
    def load(folder: Path, *, trusted: Sequence[str] = ()) -> "Bundle":
        """Read and check a bundle; nothing in it is run.

        Args:
            folder: as `save` wrote it.
            trusted: packages outside overread that the recipe may name (`use: my_lab.my_model`).

        Raises:
            BundleError: if a file is missing, extra or changed, the format is unknown, or the
                recipe names code that is not trusted.
        """
        content, digest = read_checked(folder)
        try:
            recipe = BundleRecipe.model_validate(content["recipe"])
            rubric = rubric_from_json(content["rubric"])
            graphs, ways = read_engines(folder, content)
        except (KeyError, TypeError, ValueError) as error:
            raise BundleError(f"{folder}: the recipe cannot be read: {error}") from error
        _check_trust(recipe, trusted)
        joiners = {
            name: read_arrays(path)
            for name in recipe.ensembles
            if (path := folder / "joiners" / f"{name}.safetensors").is_file()
        }
        return Bundle(
            recipe,
            rubric,
            {name: _states(folder, "locator", name) for name in recipe.locators},
            {name: _states(folder, "member", name) for name in recipe.members},
            joiners,
            content.get("card", {}),
            digest,
            read_arrays(path) if (path := folder / f"{THRESHOLDS}.safetensors").is_file() else {},
            graphs,
            ways,
        )


def _states(folder: Path, kind: str, name: str) -> dict[int, State]:
    prefix = f"{kind}-{name}-"
    paths = {
        int(path.stem.removeprefix(prefix)): path
        for path in (folder / "networks").glob(f"{prefix}*.safetensors")
        if path.stem.removeprefix(prefix).isdecimal()
    }
    return {fold: read_state(paths[fold]) for fold in sorted(paths)}


class _Filled:
    """Networks of torch around given weights; `Shells` that are opened when there are any."""

    @cached_property
    def shells(self) -> "Shells":
        """The empty networks."""
        from overread.inference.shells import Shells

        return Shells()

    def __call__(self, kind: str, build: "Callable[[], nn.Module]", state: State) -> "nn.Module":
        """Return a network with these weights."""
        return self.shells.filled(kind, build, state)


def _build_locator(spec: LocatorSpec) -> "nn.Module":
    from overread.inference.locator_networks import locator_network

    return locator_network(_bare(spec), seed=0)


def _build_member(spec: MemberSpec, views: Mapping[str, ViewSpec], rubric: Rubric) -> "nn.Module":
    return member_network(_bare(spec), views, rubric, seed=0)


def _bare(spec: S) -> S:
    """Return the settings without pretrained weights: the bundle's own are loaded."""
    module = take("overread.models", spec.model.use)
    if "weights" not in module.Spec.model_fields:
        return spec
    model = Named.model_validate({**spec.model.model_dump(), "weights": "none"})
    return spec.model_copy(update={"model": model})


def _loaded(fill: "Callable[[State], nn.Module]", state: State, what: str) -> "nn.Module":
    try:
        return fill(state)
    except RuntimeError as error:
        raise BundleError(f"the weights of {what} do not fit its network: {error}") from error


def _check_trust(recipe: BundleRecipe, trusted: Sequence[str]) -> None:
    named = [
        recipe.dataset,
        *recipe.ensembles.values(),
        *(spec.model for spec in recipe.locators.values()),
        *(spec.model for spec in recipe.members.values()),
    ]
    for one in named:
        package = one.use.partition(".")[0]
        if "." in one.use and package not in trusted:
            raise BundleError(
                f"the bundle names {one.use}, code outside overread; if you trust the package "
                f'{package}, load it with trusted=["{package}"]'
            )


def _versions() -> dict[str, str]:
    return {"overread": version("overread"), "torch": version("torch")}


def rubric_to_json(rubric: Rubric) -> dict[str, Any]:
    """Return the rubric as plain JSON."""
    return asdict(rubric)


def rubric_from_json(content: Mapping[str, Any]) -> Rubric:
    """Return the rubric that `rubric_to_json` wrote."""
    targets = tuple(
        Target(**{**one, "grades": tuple(one["grades"]), "weights": tuple(one["weights"])})
        for one in content["targets"]
    )
    derived = tuple(Derived(**{**one, "of": tuple(one["of"])}) for one in content["derived"])
    return Rubric(content["name"], content["unit"], targets, tuple(content["sites"]), derived)
