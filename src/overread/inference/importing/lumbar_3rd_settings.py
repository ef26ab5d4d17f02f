"""The published lumbar system as settings: which networks, which crops, how they are joined.

Tables of facts; files and weights are not known here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from overread import shelf
from overread.imaging import ChainSpec, ViewSpec
from overread.inference.bundle import BundleRecipe
from overread.inference.ensemble import EnsembleSpec
from overread.inference.importing.checkpoints import Wanted
from overread.inference.locator import DecodeSpec, HeatSpec, LocatorSpec
from overread.inference.member import MemberSpec
from overread.shelf import Named

__all__ = ["GRADERS", "LOCATORS", "Grader", "KeypointFold", "Spec", "bundle_recipe", "locator_spec"]

Task = Literal["full", "centre", "side"]
LEVELS = ("L1/L2", "L2/L3", "L3/L4", "L4/L5", "L5/S1")
SPINAL = ("spinal_canal_stenosis",)
SIDES = tuple(
    f"{side}_{condition}"
    for condition in ("neural_foraminal_narrowing", "subarticular_stenosis")
    for side in ("left", "right")
)
SPINAL_TEMPERATURE, SIDE_TEMPERATURE = 0.9092925874420968, 0.9964720472122109
PLANES = {"sagittal_t1": "discs", "sagittal_t2": "discs", "axial_t2": "canal"}


class Spec(shelf.Spec):
    """Settings.

    Attributes:
        as_published: keep what looks like slips: crops of whole pixels, the direction by splines,
            the middle of the highest 0.2 % as a point, uneven slices, and half of the spinal answer
            from two of 26 checkpoints.
        members: names such as tkmn_0203_f1; none = all 52.
    """

    as_published: bool = False
    members: tuple[str, ...] = ()


@dataclass(frozen=True)
class Grader:
    """One grading configuration of the published ensemble, with the folds that were shipped."""

    author: str
    config: str
    task: Task
    architecture: Literal["A", "B", "C"]
    backbone: str
    crop: Literal["v8", "v9", "v11"]
    pixels: int
    folds: tuple[int, ...]

    def name(self, fold: int) -> str:
        """Return the name of the member that one checkpoint is."""
        return f"{self.author}_{self.config}_f{fold}"

    def wanted(self, fold: int) -> Wanted:
        """Return how its checkpoint is found."""
        return Wanted(
            f"{self.author} {self.config}, fold {fold}",
            (self.author, self.config, f"fold{fold}"),
            f"{self.author}/exp{self.config}_fold{fold}_best_score.pth",
        )


@dataclass(frozen=True)
class KeypointFold:
    """One key-point network; all of a locator have one backbone."""

    author: str
    config: str
    fold: int
    backbone: str
    levels: tuple[int, ...]

    @property
    def wanted(self) -> Wanted:
        """How its checkpoint is found."""
        return Wanted(
            f"{self.author} {self.config}, fold {self.fold}",
            (self.author, *self.config.split("_"), f"fold{self.fold}"),
            f"{self.author}/exp{self.config}_fold{self.fold}_best_score.pth",
        )


TINY, NANO = "convnext_tiny.in12k_ft_in1k", "convnext_nano.in12k_ft_in1k"
NANO_D1H, V2_S = "convnext_nano.d1h_in1k", "tf_efficientnetv2_s.in21k_ft_in1k"
V2_T, RESNET = "efficientnetv2_rw_t.ra2_in1k", "resnet18.fb_ssl_yfcc100m_ft_in1k"
B4, MNAS = "tf_efficientnet_b4.ns_jft_in1k", "mnasnet_small.lamb_in1k"
MAX, MAX_RMLP = "maxvit_nano_rw_256.sw_in1k", "maxvit_rmlp_nano_rw_256.sw_in1k"
TINY_384 = "convnext_tiny.in12k_ft_in1k_384"

GRADERS = (
    Grader("moyashii", "0152", "full", "B", V2_S, "v11", 224, (1,)),
    Grader("moyashii", "0176", "full", "C", TINY_384, "v11", 224, (3, 4)),
    Grader("moyashii", "0188", "full", "C", TINY_384, "v11", 224, (0, 4)),
    Grader("moyashii", "0196", "full", "C", B4, "v11", 224, (2, 3)),
    Grader("moyashii", "0211", "full", "C", NANO, "v11", 320, (0, 4)),
    Grader("tkmn", "S0123", "full", "A", TINY, "v9", 224, (0, 1)),
    Grader("tkmn", "S0141", "full", "A", V2_T, "v9", 224, (1, 2)),
    Grader("tkmn", "S0143", "full", "A", V2_T, "v9", 224, (2,)),
    Grader("tkmn", "S0162", "full", "A", NANO_D1H, "v9", 224, (3,)),
    Grader("tkmn", "S0188", "full", "A", TINY, "v9", 224, (0, 1)),
    Grader("tkmn", "S0189", "full", "A", TINY, "v9", 224, (0, 4)),
    Grader("tkmn", "S0202", "full", "A", MNAS, "v9", 224, (2,)),
    Grader("tkmn", "S0204", "full", "A", RESNET, "v9", 224, (2, 3)),
    Grader("tkmn", "S0211", "full", "A", V2_T, "v9", 224, (3, 4)),
    Grader("moyashii", "0113", "centre", "A", TINY_384, "v11", 224, (0, 1)),
    Grader("moyashii", "0082", "side", "A", NANO, "v11", 224, (1,)),
    Grader("moyashii", "0157", "side", "C", V2_S, "v11", 224, (1, 2)),
    Grader("moyashii", "0159", "side", "C", TINY_384, "v11", 224, (0,)),
    Grader("moyashii", "0177", "side", "C", TINY_384, "v11", 224, (2, 3)),
    Grader("moyashii", "0191", "side", "C", TINY_384, "v11", 224, (3, 4)),
    Grader("moyashii", "0200", "side", "C", NANO, "v11", 224, (0, 4)),
    Grader("moyashii", "0212", "side", "C", NANO, "v11", 320, (3, 4)),
    Grader("suguuuuu", "2064", "side", "A", NANO_D1H, "v8", 224, (2, 3)),
    Grader("tkmn", "0101", "side", "A", NANO, "v9", 224, (0, 4)),
    Grader("tkmn", "0123", "side", "A", RESNET, "v9", 160, (0, 1)),
    Grader("tkmn", "0124", "side", "A", RESNET, "v9", 160, (2,)),
    Grader("tkmn", "0138", "side", "A", MAX_RMLP, "v9", 256, (0, 1)),
    Grader("tkmn", "0139", "side", "A", MAX_RMLP, "v9", 256, (3, 4)),
    Grader("tkmn", "0145", "side", "A", MAX, "v9", 256, (1, 2)),
    Grader("tkmn", "0203", "side", "A", MNAS, "v9", 224, (1,)),
)

_B6 = ("tf_efficientnet_b6.ns_jft_in1k", (0, 1, 2, 3, 4))
_B4 = ("tf_efficientnet_b4.in1k", (1, 2, 3, 4))
LOCATORS: dict[str, tuple[KeypointFold, ...]] = {
    "discs": (
        *(KeypointFold("moyashii", "v6_0002", fold, *_B6) for fold in (0, 1)),
        KeypointFold("moyashii", "v6_0003", 2, *_B6),
        *(KeypointFold("tkmn", "v6_0002", fold, *_B6) for fold in range(5)),
        *(KeypointFold("tkmn", "v6_0003", fold, *_B6) for fold in range(5)),
    ),
    "canal": (
        *(KeypointFold("moyashii", "v5_0003", fold, *_B4) for fold in range(3)),
        *(KeypointFold("tkmn", "v5_0003", fold, *_B4) for fold in range(5)),
    ),
}


def bundle_recipe(
    spec: Spec, graders: Sequence[Grader], locators: Mapping[str, Sequence[KeypointFold]]
) -> BundleRecipe:
    """Return the settings of the bundle that these networks make."""
    views = {name: view for one in graders for name, view in _views(spec, one).items()}
    return BundleRecipe(
        name="lumbar 3rd place",
        dataset=Named(use="rsna2024_lumbar"),
        locators={name: locator_spec(spec, name, rows) for name, rows in locators.items()},
        views=views,
        members={one.name(fold): _member(one) for one in graders for fold in one.folds},
        **_joined(spec, graders),
    )


def locator_spec(spec: Spec, name: str, rows: Sequence[KeypointFold]) -> LocatorSpec:
    """Return the settings of a locator: discs on sagittal, the canal on axial images."""
    first = rows[0]
    discs = name == "discs"
    return LocatorSpec(
        series=("sagittal_t2", "sagittal_t1") if discs else ("axial_t2",),
        take="all" if discs else "first",
        points=LEVELS,
        around=None if discs else "discs",
        pixels=(380, 380),
        aspect="stretch",
        flip=False,
        heat=HeatSpec(radius=20 if discs else 10),
        decode=DecodeSpec(method="box" if spec.as_published else "softargmax"),
        chain=ChainSpec() if discs and not spec.as_published else None,
        model=Named(use="heatmap", backbone=first.backbone, levels=first.levels),
    )


def _view_names(grader: Grader) -> tuple[str, ...]:
    return tuple(f"{grader.task}_{grader.crop}_{grader.pixels}_{role}" for role in PLANES)


def _views(spec: Spec, grader: Grader) -> dict[str, ViewSpec]:
    return {
        name: _view(spec, grader, role)
        for name, role in zip(_view_names(grader), PLANES, strict=True)
    }


def _view(spec: Spec, grader: Grader, role: str) -> ViewSpec:
    sagittal = role != "axial_t2"
    slices: dict[str, Any] = {"count": 10, "pick": "level"}
    if sagittal and grader.task == "centre":
        slices = {"count": 10, "pick": "central", "fraction": 0.5}
    elif sagittal:
        slices = {"count": 15}
    settings: dict[str, Any] = {}
    if grader.task == "side":
        settings["one_side"] = 0.5 if sagittal else 0.6
    if spec.as_published:
        slices["as_published"] = True
        turned = sagittal and grader.crop == "v11"
        settings |= {"curve": "spline"} if turned else {"edges": "whole"}
    return ViewSpec(
        preset=grader.crop,
        series=(role,),
        around=PLANES[role],
        slices=slices,
        pixels=(grader.pixels, grader.pixels),
        margin=1,
        **settings,
    )


def _member(grader: Grader) -> MemberSpec:
    views = _view_names(grader)
    side = grader.task == "side"
    return MemberSpec(
        views=views,
        targets={"full": None, "centre": SPINAL, "side": SIDES}[grader.task],
        mirror="shared" if side else "none",
        flip=() if side else views[2:],
        model=Named(
            use="slice_attention",
            preset=grader.architecture,
            backbone=grader.backbone,
            levels=0 if grader.author == "tkmn" else len(LEVELS),
        ),
    )


def _joined(spec: Spec, graders: Sequence[Grader]) -> dict[str, Any]:
    """Return `ensembles` and `final`: means over checkpoints, for the canal and for the sides."""
    names = {
        task: [one.name(fold) for one in graders if one.task == task for fold in one.folds]
        for task in ("full", "centre", "side")
    }
    weights = {}
    if spec.as_published and names["full"]:
        # As published, both views count the same, however many checkpoints they have.
        weights = dict.fromkeys(names["centre"], len(names["full"]) / max(len(names["centre"]), 1))
    spinal = (*names["full"], *names["centre"])
    ensembles = {
        name: EnsembleSpec(use="mean", of=of, targets=targets, temperature=warmth, weights=chosen)
        for name, of, targets, warmth, chosen in (
            ("spinal", spinal, SPINAL, SPINAL_TEMPERATURE, weights),
            ("sides", tuple(names["side"]), SIDES, SIDE_TEMPERATURE, {}),
        )
        if of
    }
    ensembles["final"] = EnsembleSpec(use="mean", of=tuple(ensembles))
    return {"ensembles": ensembles, "final": "final"}
