"""How much training images are varied: settings, and the published sets of them.

The eleven sets A-K are those of the RSNA 2024 lumbar 3rd-place system (section 3.5 of its
description), which cover its 46 configurations.
"""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from overread.shelf import Spec

__all__ = ["PRESETS", "AugmentSpec"]

Share = tuple[float, float]


def _preset(
    tone: Share,
    blur: tuple[int, float, float, float],
    warp: Share,
    place: tuple[float, ...],
    holes: tuple[int, int, int, int, float],
) -> dict[str, Any]:
    """Return settings from one row of the published table (sizes there are of 224 px)."""
    limit, low, high, blur_p = blur
    return {
        "brightness": tone[0],
        "contrast": tone[0],
        "tone_p": tone[1],
        "blur_limit": limit,
        "noise": (low**0.5 / 255, high**0.5 / 255),
        "blur_p": blur_p,
        "distort": warp[0],
        "distort_p": warp[1],
        "shift": place[0],
        "scale": place[0],
        "rotate": place[1],
        "place_p": place[2],
        "holes": holes[:2],
        "hole_size": (holes[2] / 224, holes[3] / 224),
        "holes_p": holes[4],
    }


_PLAIN_PLACE = (0.1, 8.0, 0.5)
_MANY_HOLES = (1, 16, 4, 40, 0.5)
_FEW_HOLES = (4, 12, 7, 32, 0.55)

PRESETS: dict[str, dict[str, Any]] = {
    "A": {**_preset((0.2, 0.5), (5, 5, 30, 0.0), (1.0, 0.5), _PLAIN_PLACE, _MANY_HOLES),
          "elastic": 0.03},
    "B": {**_preset((0.18, 0.55), (7, 2.5, 9, 0.15), (0.9, 0.75), (0.1, 14.0, 0.55), _FEW_HOLES),
          "elastic": 0.02},
    "C": {**_preset((0.2, 0.7), (5, 3, 18, 0.2), (0.9, 0.9), _PLAIN_PLACE, _MANY_HOLES),
          "elastic": 0.03},
    "D": {**_preset((0.2, 0.5), (5, 5, 30, 0.5), (1.0, 0.5), _PLAIN_PLACE, _MANY_HOLES),
          "elastic": 0.03},
    "E": {**_preset((0.15, 0.6), (3, 1, 8, 0.1), (0.7, 0.8), _PLAIN_PLACE, _MANY_HOLES),
          "elastic": 0.03},
    "F": {**_preset((0.25, 0.6), (7, 3, 4.5, 0.1), (0.7, 0.8), _PLAIN_PLACE, _MANY_HOLES),
          "elastic": 0.03},
    "G": {**_preset((0.3, 0.5), (3, 1, 2, 0.2), (0.6, 0.7), _PLAIN_PLACE, _MANY_HOLES),
          "elastic": 0.03},
    "H": {**_preset((0.19, 0.6), (3, 1, 5, 0.2), (0.95, 0.85), (0.05, 9.0, 0.6),
                    (1, 16, 4, 40, 0.6)), "elastic": 0.035},
    "I": {**_preset((0.12, 0.7), (5, 1, 5, 0.1), (0.7, 0.7), (0.1, 10.0, 0.7),
                    (2, 14, 5, 35, 0.7)), "elastic": 0.02},
    "J": {**_preset((0.25, 0.5), (5, 4, 25, 0.1), (0.7, 0.9), _PLAIN_PLACE, _MANY_HOLES),
          "elastic": 0.03},
    "K": {**_preset((0.17, 0.55), (7, 2.5, 11, 0.1), (0.9, 0.8), (0.1, 14.0, 0.55), _FEW_HOLES),
          "elastic": 0.02},
}  # fmt: skip


class AugmentSpec(Spec):
    """How images are varied in training. Nothing is varied by default.

    Shares are of the image's side, limits are symmetric, `..._p` are probabilities a sample.

    Attributes:
        preset: a published set, A-K; settings that stand beside it win.
        brightness: added, at most (0-1 scale).
        contrast: values are multiplied by 1 +- this.
        tone_p: of brightness and contrast.
        gamma: the exponent is within 1 / (1 + gamma) and 1 + gamma.
        gamma_p: of gamma.
        invert_p: of light and dark exchanged.
        curve_p: of a random tone curve (not always a rising one), which makes one contrast look
            like another, such as T1 like T2.
        blur_limit: greatest side of a blur kernel, px.
        noise: least and greatest standard deviation of the noise (0-1 scale).
        blur_p: of one of motion blur, median, Gaussian blur and noise.
        distort: limit of lens and grid distortion.
        elastic: greatest displacement of the smooth random distortion.
        distort_p: of one of lens, grid and elastic distortion.
        shift: along each axis.
        scale: sizes are multiplied by 1 +- this.
        stretch: rows are lengthened and columns shortened by up to this, or the reverse.
        rotate: degrees.
        place_p: of shift, scale, stretch and rotation.
        holes: least and greatest number of black rectangles.
        hole_size: least and greatest side of them.
        holes_p: of holes.
        slice_shift: the stack moves by up to this many slices against the slots, which imitates
            a misplaced point.
        mirror: probability of a mirrored patient; targets swap with it, so the trainer does it.
        flip_columns: probability of a left-right flip (key-point images only).
        flip_rows: probability of an upside-down flip (key-point images only).

    Example:
        >>> AugmentSpec(preset="B", rotate=5).rotate, AugmentSpec(preset="B").distort_p
        (5.0, 0.75)
    """

    preset: Literal["A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K"] | None = None
    brightness: float = Field(default=0.0, ge=0)
    contrast: float = Field(default=0.0, ge=0, lt=1)
    tone_p: float = Field(default=0.5, ge=0, le=1)
    gamma: float = Field(default=0.0, ge=0)
    gamma_p: float = Field(default=0.5, ge=0, le=1)
    invert_p: float = Field(default=0.0, ge=0, le=1)
    curve_p: float = Field(default=0.0, ge=0, le=1)
    blur_limit: int = Field(default=3, ge=3)
    noise: Share = (0.0, 0.0)
    blur_p: float = Field(default=0.0, ge=0, le=1)
    distort: float = Field(default=0.0, ge=0, le=1)
    elastic: float = Field(default=0.0, ge=0)
    distort_p: float = Field(default=0.0, ge=0, le=1)
    shift: float = Field(default=0.0, ge=0)
    scale: float = Field(default=0.0, ge=0, lt=1)
    stretch: float = Field(default=0.0, ge=0, lt=1)
    rotate: float = Field(default=0.0, ge=0)
    place_p: float = Field(default=0.5, ge=0, le=1)
    holes: tuple[int, int] = (1, 1)
    hole_size: Share = (0.02, 0.2)
    holes_p: float = Field(default=0.0, ge=0, le=1)
    slice_shift: int = Field(default=0, ge=0)
    mirror: float = Field(default=0.0, ge=0, le=1)
    flip_columns: float = Field(default=0.0, ge=0, le=1)
    flip_rows: float = Field(default=0.0, ge=0, le=1)

    @model_validator(mode="before")
    @classmethod
    def _lay_preset(cls, values: Any) -> Any:
        known = values.get("preset") if isinstance(values, dict) else None
        return {**PRESETS.get(str(known), {}), **values} if known else values

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name in ("noise", "holes", "hole_size"):
            low, high = getattr(self, name)
            if not 0 <= low <= high:
                raise ValueError(f"{name} must be two rising numbers, found {(low, high)}")
        return self
