"""A small recipe on the made-up study: two locators, two views, networks that fit in a test."""

from tiny_studies import LEVELS

from overread.imaging import SliceSpec, ViewSpec
from overread.inference import Bundle, BundleRecipe, LocatorSpec, MemberSpec, locator_network
from overread.inference.member import member_network
from overread.records import Rubric, Target
from overread.shelf import Named

GRADES = ("normal", "moderate", "severe")
WEIGHTS = (1.0, 2.0, 4.0)
RUBRIC = Rubric(
    "tiny",
    "site",
    (
        Target("canal", GRADES, WEIGHTS),
        Target("left_foramen", GRADES, WEIGHTS, mirror="right_foramen"),
        Target("right_foramen", GRADES, WEIGHTS, mirror="left_foramen"),
    ),
    LEVELS,
)
HEAT = {"use": "heatmap", "backbone": "tiny_conv", "levels": (0, 1), "neck": 8, "hidden": 8}
GRADER = {
    "use": "slice_attention",
    "backbone": "tiny_conv",
    "attention_heads": 2,
    "hidden": 16,
    "width": 16,
    "position": "sinusoidal",
    "plane_embedding": True,
}
LOCATORS = {
    "discs": LocatorSpec(series=("sagittal_t2",), points=LEVELS, pixels=(64, 64), model=HEAT),
    "canal": LocatorSpec(
        series=("axial_t2",), points=LEVELS, around="discs", pixels=(64, 64), model=HEAT
    ),
}
VIEWS = {
    "side": ViewSpec(
        series=("sagittal_t2",),
        around="discs",
        slices=SliceSpec(count=5),
        size_mm=(40, 60),
        pixels=(24, 32),
    ),
    "top": ViewSpec(
        series=("axial_t2",),
        around="canal",
        slices=SliceSpec(count=3, pick="level"),
        size_mm=(50, 50),
        pixels=(32, 32),
    ),
}


def member(mirror: str = "average", **settings: object) -> MemberSpec:
    """Return a member that sees both views."""
    content = {"views": ("side", "top"), "mirror": mirror, "model": GRADER, **settings}
    return MemberSpec.model_validate(content)


def recipe(**changes: object) -> BundleRecipe:
    """Return the whole recipe."""
    content = {
        "name": "tiny",
        "dataset": Named(use="rsna2024_lumbar"),
        "locators": LOCATORS,
        "views": VIEWS,
        "members": {"wide": member("average"), "sided": member("shared")},
        "final": "wide",
    }
    return BundleRecipe.model_validate({**content, **changes})


def bundle(folds: int = 2, **changes: object) -> Bundle:
    """Return a bundle of untrained networks."""
    whole = recipe(**changes)
    return Bundle(
        whole,
        RUBRIC,
        {
            name: {fold: locator_network(spec, seed=fold).state_dict() for fold in range(folds)}
            for name, spec in whole.locators.items()
        },
        {
            name: {
                fold: member_network(spec, whole.views, RUBRIC, seed=fold).state_dict()
                for fold in range(folds)
            }
            for name, spec in whole.members.items()
        },
        card={"studies": 2, "scores": []},
    )
