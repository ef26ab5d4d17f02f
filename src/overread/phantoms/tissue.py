"""Brightness of each tissue under each contrast, 0 (no signal) to about 1 (free water or fat).

Values were set by eye beside real lumbar images; they are relative, a scanner scales them.
"""

from types import MappingProxyType
from typing import Literal

Contrast = Literal["t1", "t2", "stir"]

_T1 = {
    "air": 0.0,
    "skin": 0.45,
    "fat": 0.92,
    "muscle": 0.30,
    "marrow": 0.60,
    "bone": 0.05,
    "nucleus": 0.33,
    "annulus": 0.20,
    "ligament": 0.12,
    "csf": 0.13,
    "cord": 0.40,
    "root": 0.36,
    "fluid": 0.15,
    "vessel": 0.05,
    "slow_blood": 0.28,
    "bowel": 0.34,
    "organ": 0.36,
    "inflamed": 0.25,
    "fatty_marrow": 0.85,
}
_T2 = {
    "air": 0.0,
    "skin": 0.35,
    "fat": 0.72,
    "muscle": 0.17,
    "marrow": 0.45,
    "bone": 0.04,
    "nucleus": 0.72,
    "annulus": 0.09,
    "ligament": 0.07,
    "csf": 1.00,
    "cord": 0.42,
    "root": 0.34,
    "fluid": 0.90,
    "vessel": 0.04,
    "slow_blood": 0.25,
    "bowel": 0.38,
    "organ": 0.45,
    "inflamed": 0.62,
    "fatty_marrow": 0.62,
}
_FATTY = {"fat": 0.10, "skin": 0.25, "marrow": 0.15, "fatty_marrow": 0.08, "inflamed": 0.70}
BRIGHTNESS = MappingProxyType(
    {
        "t1": MappingProxyType(_T1),
        "t2": MappingProxyType(_T2),
        "stir": MappingProxyType(_T2 | _FATTY),
    }
)
TISSUES = tuple(_T1)
