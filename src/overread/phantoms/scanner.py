"""Imitation scanners: protocols, slice planes, coil shading, contrast and noise.

A scanner turns painted tissue into stored pixel values.
The vendor profiles are made up after common products; they are not measurements of any of them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from overread.phantoms.anatomy import Spine
from overread.phantoms.sampling import F32, F64, SlicePlane, Texture, draw_texture
from overread.phantoms.tissue import Contrast

U16 = NDArray[np.uint16]
_NOISE_LAG = 41  # rows between the two uses of one draw of noise


@dataclass(frozen=True)
class Vendor:
    """What the makes of scanner differ in."""

    manufacturer: str
    model: str
    tesla: float
    names: tuple[str, str, str, str]  # series descriptions: T1, T2, STIR, axial T2
    sequence: tuple[str, str]  # ScanningSequence, SequenceVariant
    bits_stored: int
    rescale: bool
    full_scale: int


VENDORS = (
    Vendor(
        "SIEMENS",
        "Aera",
        1.5,
        ("t1_tse_sag", "t2_tse_sag", "t2_tirm_sag", "t2_tse_tra"),
        ("SE", "SK\\SP\\OSP"),
        12,
        False,
        900,
    ),
    Vendor(
        "SIEMENS",
        "Skyra",
        3.0,
        ("T1 TSE SAG", "T2 TSE SAG", "STIR SAG", "T2 TSE AX"),
        ("SE", "SK\\SP"),
        12,
        False,
        1400,
    ),
    Vendor(
        "GE MEDICAL SYSTEMS",
        "SIGNA Artist",
        1.5,
        ("Sag T1 FSE", "Sag T2 FRFSE", "Sag STIR", "Ax T2 FRFSE"),
        ("SE", "SK"),
        16,
        False,
        5200,
    ),
    Vendor(
        "GE MEDICAL SYSTEMS",
        "DISCOVERY MR750",
        3.0,
        ("SAG T1", "SAG T2", "SAG STIR", "AX T2"),
        ("SE", "SK\\OSP"),
        16,
        False,
        8000,
    ),
    Vendor(
        "Philips Medical Systems",
        "Ingenia",
        1.5,
        ("T1W_TSE SAG", "T2W_TSE SAG", "STIR_TSE SAG", "T2W_TSE TRA"),
        ("SE", "SK"),
        12,
        True,
        1800,
    ),
    Vendor(
        "Philips Healthcare",
        "Achieva",
        3.0,
        ("sT1W_TSE", "sT2W_TSE", "sSTIR_TSE", "aT2W_TSE"),
        ("SE", "SK\\OSP"),
        12,
        True,
        2400,
    ),
    Vendor(
        "TOSHIBA",
        "Vantage Titan",
        1.5,
        ("T1 SAG FSE", "T2 SAG FSE", "STIR SAG", "T2 AXL FSE"),
        ("SE", "NONE"),
        16,
        False,
        3000,
    ),
)


@dataclass(frozen=True)
class Protocol:
    """Settings of one series."""

    role: str
    name: str
    contrast: Contrast
    spacing: tuple[float, float]
    shape: tuple[int, int]
    thickness: float
    step: float
    repetition_ms: float
    echo_ms: float
    inversion_ms: float | None
    echo_train: int
    scale: float
    noise: float


@dataclass(frozen=True)
class Session:
    """One person's visit to one scanner.

    Attributes:
        vendor: the make.
        sagittal_t1: protocol; so are `sagittal_t2` and `axial_t2`.
        sagittal_planes: right to left, shared by both sagittal series.
        axial_planes: head to feet, block by block.
        axial_levels: the level of each axial plane, -1 where a parallel stack has none.
        shading: coil shading texture.
        shading_depth: strength of it.
        coil_mm: distance in which the back coil's sensitivity falls by 1/e.
        band_mm: edge of the saturation band in front of the spine, None without one.
    """

    vendor: Vendor
    sagittal_t1: Protocol
    sagittal_t2: Protocol
    axial_t2: Protocol
    sagittal_planes: tuple[SlicePlane, ...]
    axial_planes: tuple[SlicePlane, ...]
    axial_levels: tuple[int, ...]
    shading: Texture
    shading_depth: float
    coil_mm: float
    band_mm: float | None


def draw_session(rng: np.random.Generator, spine: Spine, first_axial_level: int) -> Session:
    """Draw scanner, protocols and slice positions for one person."""
    vendor = VENDORS[int(rng.integers(len(VENDORS)))]
    noise = float(rng.uniform(0.012, 0.035)) * (0.8 if vendor.tesla > 2 else 1.0)
    t1, t2 = _sagittal_protocols(rng, vendor, noise)
    axial = _axial_protocol(rng, vendor, noise)
    sagittal_planes = _sagittal_planes(rng, spine, t2)
    if rng.random() < 0.22:
        axial_planes, axial_levels = _stack_planes(rng, spine, axial, first_axial_level)
    else:
        axial_planes, axial_levels = _block_planes(rng, spine, axial, first_axial_level)
    return Session(
        vendor,
        t1,
        t2,
        axial,
        sagittal_planes,
        axial_planes,
        axial_levels,
        shading=draw_texture(rng, finest_mm=180, coarsest_mm=500, num_waves=10),
        shading_depth=float(rng.uniform(0.03, 0.12)),
        coil_mm=float(rng.uniform(130, 330)),
        band_mm=float(rng.uniform(32, 48)) if rng.random() < 0.4 else None,
    )


def _sagittal_protocols(
    rng: np.random.Generator, vendor: Vendor, noise: float
) -> tuple[Protocol, Protocol]:
    size = int(rng.choice([256, 256, 288, 320, 352]))
    view = float(rng.uniform(245, 295))
    stretch = float(rng.choice([1.0, 1.0, 1.0, 1.06, 0.94]))
    spacing = (round(view / size, 4), round(view / size * stretch, 4))
    thickness = float(rng.choice([3.5, 4.0, 4.0, 4.0]))
    step = thickness + float(rng.choice([0.2, 0.4, 0.4, 0.8]))
    shape = (size, size)
    fluid = rng.random() < 0.08
    t1 = Protocol(
        "Sagittal T1",
        vendor.names[0],
        "t1",
        spacing,
        shape,
        thickness,
        step,
        float(rng.integers(480, 760)),
        float(rng.integers(8, 15)),
        None,
        int(rng.integers(3, 6)),
        _scale(rng, vendor),
        noise,
    )
    t2 = Protocol(
        "Sagittal T2/STIR",
        vendor.names[2 if fluid else 1],
        "stir" if fluid else "t2",
        spacing,
        shape,
        thickness,
        step,
        float(rng.integers(2800, 4600)),
        float(rng.integers(85, 122)),
        160.0 if fluid else None,
        int(rng.integers(13, 25)),
        _scale(rng, vendor),
        noise * (1.25 if fluid else 1.0),
    )
    return t1, t2


def _axial_protocol(rng: np.random.Generator, vendor: Vendor, noise: float) -> Protocol:
    size = int(rng.choice([256, 256, 288, 320]))
    view = float(rng.uniform(165, 205))
    stretch = float(rng.choice([1.0, 1.0, 1.0, 1.05]))
    thickness = float(rng.choice([3.5, 4.0, 4.0, 4.5]))
    return Protocol(
        "Axial T2",
        vendor.names[3],
        "t2",
        (round(view / size, 4), round(view / size * stretch, 4)),
        (size, size),
        thickness,
        thickness + float(rng.choice([0.0, 0.4, 0.4, 0.8])),
        float(rng.integers(3200, 5600)),
        float(rng.integers(88, 125)),
        None,
        int(rng.integers(12, 22)),
        _scale(rng, vendor),
        1.15 * noise,
    )


def _scale(rng: np.random.Generator, vendor: Vendor) -> float:
    return vendor.full_scale * float(rng.uniform(0.6, 1.4))


def _turn(vector: F64, axis: int, angle: float) -> F64:
    """Rotate a vector about a patient axis."""
    first, second = [i for i in range(3) if i != axis]
    turned = vector.copy()
    turned[first] = np.cos(angle) * vector[first] - np.sin(angle) * vector[second]
    turned[second] = np.sin(angle) * vector[first] + np.cos(angle) * vector[second]
    return turned


def _sagittal_planes(
    rng: np.random.Generator, spine: Spine, protocol: Protocol
) -> tuple[SlicePlane, ...]:
    across, down = np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, -1.0])
    for axis, angle in (
        (2, rng.normal(0, 0.02)),
        (1, rng.normal(0, 0.012)),
        (0, rng.normal(0, 0.03)),
    ):
        across, down = _turn(across, axis, angle), _turn(down, axis, angle)
    count = int(rng.choice([13, 15, 15, 15, 17]))
    rows, columns = protocol.shape
    middle = np.mean([spine.canal_centre(level) for level in range(5)], axis=0)
    middle = middle + np.array([rng.normal(0, 1.5), rng.normal(-14, 9), rng.normal(6, 8)])
    left = np.cross(down, across)  # towards the patient's left
    corner = middle - across * protocol.spacing[1] * (columns - 1) / 2
    corner = corner - down * protocol.spacing[0] * (rows - 1) / 2
    return tuple(
        SlicePlane(
            corner + left * protocol.step * (i - (count - 1) / 2),
            across,
            down,
            protocol.spacing,
            protocol.shape,
            protocol.thickness,
        )
        for i in range(count)
    )


def _axial_grid(centre: F64, across: F64, down: F64, protocol: Protocol) -> SlicePlane:
    rows, columns = protocol.shape
    corner = centre - across * protocol.spacing[1] * (columns - 1) / 2
    corner = corner - down * protocol.spacing[0] * (rows - 1) / 2
    return SlicePlane(corner, across, down, protocol.spacing, protocol.shape, protocol.thickness)


def _block_planes(
    rng: np.random.Generator, spine: Spine, protocol: Protocol, first: int
) -> tuple[tuple[SlicePlane, ...], tuple[int, ...]]:
    planes, levels = [], []
    shift = rng.normal(0, [4, 5])
    count = int(rng.choice([3, 4, 4, 5]))
    for level in range(first, 5):
        frame = spine.disc(level).frame
        across = frame.axes[0] + rng.normal(0, 0.012, 3)
        across /= np.linalg.norm(across)
        down = frame.axes[1] + np.array([0, 0, np.clip(rng.normal(0, 0.04), -0.08, 0.08)])
        down -= across * (across @ down)
        down /= np.linalg.norm(down)
        up = np.cross(across, down)
        centre = frame.world(0, 26, 0) + shift[0] * across + shift[1] * down
        centre = centre + up * rng.normal(0, 0.7)
        for i in range(count):
            at = centre - up * protocol.step * (i - (count - 1) / 2)
            planes.append(_axial_grid(at, across, down, protocol))
            levels.append(level)
    return tuple(planes), tuple(levels)


def _stack_planes(
    rng: np.random.Generator, spine: Spine, protocol: Protocol, first: int
) -> tuple[tuple[SlicePlane, ...], tuple[int, ...]]:
    angle = -float(rng.normal(0.04, 0.05))
    across, down = np.array([1.0, 0.0, 0.0]), _turn(np.array([0.0, 1.0, 0.0]), 0, angle)
    up = np.cross(across, down)
    top, bottom = spine.disc_centre(first), spine.disc_centre(4)
    high, low = (top - bottom) @ up + 9, -13.0
    count = int((high - low) / protocol.step) + 1
    planes, levels = [], []
    discs = [(spine.disc_centre(level) - bottom) @ up for level in range(5)]
    middle = spine.canal_centre(2) + rng.normal(0, [4, 5, 0]) + np.array([0, 4, 0])
    for i in range(count):
        height = high - i * protocol.step
        at = middle + up * (height - (middle - bottom) @ up)
        planes.append(_axial_grid(at, across, down, protocol))
        nearest = int(np.argmin(np.abs(np.array(discs) - height)))
        levels.append(nearest if abs(discs[nearest] - height) < 8 else -1)
    return tuple(planes), tuple(levels)


def gain(session: Session, plane: SlicePlane, *, banded: bool) -> F32:
    """Return how bright a slice is in each pixel: coil shading, and the band if there is one."""
    rows = np.arange(plane.shape[0])[:, None] * plane.spacing[0] * plane.along_column[1]
    columns = np.arange(plane.shape[1])[None, :] * plane.spacing[1] * plane.along_row[1]
    behind = (plane.origin[1] + rows).astype(np.float32) + columns.astype(np.float32)
    bright = session.shading.on(plane, plane.whole())
    bright *= np.float32(session.shading_depth)
    bright += (behind - np.float32(20)) * np.float32(1 / session.coil_mm)
    np.exp(bright, out=bright)
    if banded and session.band_mm is not None:
        behind += np.float32(session.band_mm)
        behind *= np.float32(-1 / 3.0)
        open_share = np.exp(behind, out=behind)
        open_share += 1
        bright *= np.float32(0.12) + np.float32(0.88) / open_share
    return bright


def expose(
    rng: np.random.Generator, session: Session, protocol: Protocol, bright: F32, tissue: F32
) -> U16:
    """Turn painted tissue (rows, columns) into stored values: gain, scale, Rician noise.

    Args:
        rng: of the noise.
        session: names the vendor.
        protocol: of the series.
        bright: (rows, columns) the slice's `gain`.
        tissue: (rows, columns) painted brightness.

    Returns:
        (rows, columns) stored values.
    """
    rows, columns = tissue.shape
    # Real and imaginary noise are one field, far apart: half the draws, independent in each pixel.
    noise = rng.standard_normal((rows + _NOISE_LAG, columns), dtype=np.float32)
    noise *= np.float32(protocol.noise * protocol.scale)
    stored = tissue * bright
    stored *= np.float32(protocol.scale)
    stored += noise[:rows]
    stored *= stored
    noise *= noise
    stored += noise[_NOISE_LAG:]
    np.sqrt(stored, out=stored)
    stored += np.float32(0.5)  # rounds
    highest = 2 ** min(session.vendor.bits_stored, 15) - 1
    np.minimum(stored, np.float32(highest), out=stored)
    pixels: U16 = stored.astype(np.uint16)
    return pixels
