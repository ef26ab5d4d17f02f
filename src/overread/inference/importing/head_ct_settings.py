"""The published head CT system as settings: its networks, what each was trained to see, the blend.

Tables of facts; files and weights are not known here. Networks are given what they were trained on,
faults included, since their weights have learnt them: see `docs/recipes/head_ct_hemorrhage.md`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from overread import shelf
from overread.imaging import ViewSpec
from overread.inference.bundle import BundleRecipe
from overread.inference.ensemble import EnsembleSpec
from overread.inference.importing.checkpoints import Wanted
from overread.inference.member import MemberSpec
from overread.models.published_head_ct import IMAGENET_MEAN, IMAGENET_STD
from overread.shelf import Named

__all__ = ["DEMO", "EXPERIMENTS", "Experiment", "Spec", "bundle_recipe"]

BLEEDS = ("epidural", "intraparenchymal", "intraventricular", "subarachnoid", "subdural")
SHARE = 462 / 512  # of each side, the centre crop
SE50, SE101 = "legacy_seresnext50_32x4d", "legacy_seresnext101_32x4d"
Shown = Literal["subdural", "brain_thrice", "three_twice"]
# Weights of the blend that the stack begins with, and of the final blend of networks.
DEMO = ("10", "16", "17", "18", "19", "21", "22", "23", "24")


@dataclass(frozen=True)
class Experiment:
    """One published network.

    Attributes:
        number: of the experiment.
        channels: offsets along the scan, in the order of the channels.
        stack, blend: its weight among the nine networks of the stack (0 = not one of them), and in
            the final blend of networks.
        shown: "subdural" windows; "brain_thrice": three windows of which all are the brain's
            (they were cut one from another); "three_twice": three windows that were scaled to 0-1
            and divided by 255 once more.
        offsets: of the slices that it answers for.
        bleeds: answers the five bleeds alone; "any" is the likeliest.
        backbone, pool, pixels: of the network.
    """

    number: str
    channels: tuple[int, int, int]
    stack: float
    blend: float
    shown: Shown = "subdural"
    offsets: tuple[int, ...] = (0,)
    bleeds: bool = False
    backbone: str = SE50
    pool: Literal["average", "gem"] = "average"
    pixels: int = 512

    @property
    def name(self) -> str:
        """Of the member."""
        return f"exp{self.number}"

    @property
    def wanted(self) -> Wanted:
        """Its checkpoint."""
        return Wanted(self.name, (self.name,), f"{self.name}/{self.name}_epoch5.pth")


EXPERIMENTS = (
    Experiment("10", (0, 0, 0), 0.025, 0.025, "brain_thrice"),
    Experiment("16", (0, -1, 1), 0.2, 0.1),
    Experiment("17", (0, 0, 0), 0.1, 0.075),
    Experiment("18", (0, -1, 1), 0.025, 0.025, "three_twice"),
    Experiment("19", (0, -2, 2), 0.1, 0.075),
    Experiment("21", (0, -1, -2), 0.1, 0.075),
    Experiment("22", (0, 1, 2), 0.2, 0.1),
    Experiment("23", (0, -1, -2), 0.025, 0.025, "three_twice"),
    Experiment("24", (0, 1, 2), 0.025, 0.025, "three_twice"),
    Experiment("28", (0, -1, 1), 0, 0.05, backbone=SE101, pool="gem", pixels=462),
    Experiment("32", (0, -1, 1), 0, 0.075, bleeds=True),
    Experiment("34", (0, -1, 1), 0, 0.1, offsets=(0, -1, 1)),
    Experiment("36", (0, -1, 1), 0, 0.1, offsets=(0, -2, 2)),
)


class Spec(shelf.Spec):
    """Settings.

    Attributes:
        members: names of those that are imported, such as exp16; by default the nine networks of
            the published demonstration.
        as_published: what exp36 says of slices beyond the ends of a scan counts for the last one.
    """

    members: tuple[str, ...] = tuple(f"exp{number}" for number in DEMO)
    as_published: bool = False


def bundle_recipe(spec: Spec, experiments: Sequence[Experiment]) -> BundleRecipe:
    """Return the settings of the bundle that these networks make."""
    nine = all(one.stack for one in experiments)
    weights = {one.name: one.stack if nine else one.blend for one in experiments}
    of = tuple(weights)
    return BundleRecipe(
        name="head CT hemorrhage, 3rd place",
        dataset=Named(use="rsna2019_head_ct"),
        views={one.name: _view(one) for one in experiments},
        members={one.name: _member(spec, one) for one in experiments},
        ensembles={"blend": EnsembleSpec(use="mean", of=of, weights=weights)},
        final="blend",
    )


def _view(one: Experiment) -> ViewSpec:
    windows: dict[Shown, list[str]] = {
        "subdural": ["subdural"],
        "brain_thrice": ["brain"],
        "three_twice": ["subdural", "brain", "soft_tissue_narrow"],
    }
    return ViewSpec.model_validate(
        {
            "series": "ct",
            "windows": windows[one.shown],
            "channels": [[step] for step in one.channels],
            "share": SHARE,
            "pixels": (one.pixels, one.pixels),
            "margin": 1,
        }
    )


def _member(spec: Spec, one: Experiment) -> MemberSpec:
    highest = {"any": BLEEDS} if one.bleeds else {}
    return MemberSpec(
        views=(one.name,),
        mirror="none",
        flip=(one.name,),
        offsets=one.offsets,
        beyond="nearest" if spec.as_published and one.number == "36" else "drop",
        model=Named(
            use="stack_channels",
            backbone=one.backbone,
            pool=one.pool,
            gate=8,
            highest=highest,
            **_levels(one.shown),
        ),
    )


def _levels(shown: Shown) -> dict[str, Any]:
    """Return how pixels from 0 to 1 become what the network was trained on."""
    if shown == "brain_thrice":
        # 0 to 80 HU, scaled by the widths of three windows, each less its mean.
        return {"scale": (1.0, 80 / 200, 80 / 380), "shift": (0.0, 0.0, 0.0), "centred": True}
    divisor = 255.0 if shown == "three_twice" else 1.0
    # The third window is 300 HU wide and was scaled as if it were 380, from 40 HU lower.
    gain = (1.0, 1.0, 300 / 380) if shown == "three_twice" else (1.0, 1.0, 1.0)
    add = (0.0, 0.0, 40 / 380) if shown == "three_twice" else (0.0, 0.0, 0.0)
    return {
        "scale": tuple(g / divisor / std for g, std in zip(gain, IMAGENET_STD, strict=True)),
        "shift": tuple(
            (a / divisor - mean) / std
            for a, mean, std in zip(add, IMAGENET_MEAN, IMAGENET_STD, strict=True)
        ),
    }
