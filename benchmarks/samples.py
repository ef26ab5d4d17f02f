"""A training sample from the store: three views, 40 slices of 224 px, everything varied.

Beside the published way of the RSNA 2024 3rd place (PNG crops, OpenCV, albumentations; the stack as
one image of many channels as it does, and slice by slice with shared parameters) and beside MONAI's
persistent dataset with dictionary transforms. One thread on each side, in one process, which keeps
freed memory as a run does. Ours and the published way make batches of eight, MONAI leaves samples
single. Sagittal phantoms have pixels of about 1 mm, so their PNG files are smaller than those of
real studies and read sooner, which favours the published way.
"""

import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from benchmarks.sample_store import PIXELS, VIEWS, Samples, write_samples
from benchmarks.timing import Row, because, explained, row_of, take_turns
from overread.models import flush_denormals, keep_memory

__all__ = ["rows"]

BATCH = 8
PRESET = "D"  # of the published sets the one in which all kinds of change happen at every second
WHY = (
    "ours interpolates two million pixels a sample in 32 bits from crops with a margin, OpenCV in "
    "8 bits from small ones"
)
CLOSE = 2.5 / 255  # in 0-1: eight bits, and two ways to round


def rows(folder: Path, *, studies: int = 4, repeats: int = 5) -> Iterator[Row]:
    """Yield a row against the published way and one against MONAI."""
    flush_denormals()
    keep_memory()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    samples = write_samples(folder, studies, PRESET)
    count = len(samples.examples)
    ours, theirs = Ours(samples), Published(samples)
    with tempfile.TemporaryDirectory(dir=folder) as cache:
        monai = monai_dataset(samples, Path(cache))
        gaps = [_gap(ours.plain(unit), theirs.plain(unit)) for unit in range(count)]
        gaps += [_gap(ours.plain(unit), monai_plain(samples, unit)) for unit in range(count)]
        if max(gaps) > CLOSE:
            raise ValueError(f"crops differ by {max(gaps)} of white, expected {CLOSE} at most")
        sides: dict[str, Callable[[], Any]] = {
            "": ours.all,
            "PNG, OpenCV, albumentations on stacks": lambda: theirs.all(theirs.stacked),
            "PNG, OpenCV, albumentations per slice": lambda: theirs.all(theirs.by_slice),
            "MONAI PersistentDataset": lambda: [monai[unit] for unit in range(count)],
        }
        walls, works = take_turns(sides, repeats=repeats, per=count)
    close = f"crops as read differ by at most {max(gaps) * 255:.1f} of 255 away from their edges"
    for target, against in zip((5.0, 5.0, 3.0), list(sides)[1:], strict=True):
        row = row_of(
            "a training sample: 3 views, 40 slices of 224 px, all augmentations",
            "sample",
            walls,
            works=works,
            target=target,
            against=against,
            note=close,
        )
        yield because(explained(row, ours.all), WHY)


class Ours:
    """Batches from the store."""

    def __init__(self, samples: Samples) -> None:
        self.examples = samples.examples

    def all(self) -> list[dict[str, Tensor]]:
        """Return augmented batches of all units."""
        count = len(self.examples)
        generator = torch.Generator().manual_seed(0)
        return [
            self.examples.batch(range(first, min(first + BATCH, count)), generator=generator)
            for first in range(0, count, BATCH)
        ]

    def plain(self, unit: int) -> dict[str, Tensor]:
        """Return a unit without augmentation, {view: (S, H, W)} 0-1."""
        batch = self.examples.batch([unit], generator=None)
        return {view: (batch[view][0, :, 0] + 1) / 2 for view in VIEWS}


class Published:
    """The way of the published system."""

    def __init__(self, samples: Samples) -> None:
        self.pictures = samples.pictures
        self.count = len(samples.examples)
        self.transform = _transform()
        most = max(view.slices.count for view in VIEWS.values())
        self.shared = _transform(**{f"image{slot}": "image" for slot in range(1, most)})

    def all(self, sample: Callable[[int], dict[str, Tensor]]) -> list[Any]:
        """Return augmented batches of all units."""
        found = [sample(unit) for unit in range(self.count)]
        parts = [found[first : first + BATCH] for first in range(0, self.count, BATCH)]
        return [
            {view: torch.stack([one[view] for one in part]) for view in VIEWS} for part in parts
        ]

    def read(self, view: str, unit: int) -> list[Any]:
        """Return the slices of a unit, each resized."""
        return [
            cv2.resize(cv2.imread(name, cv2.IMREAD_GRAYSCALE), PIXELS[::-1])
            for name in self.pictures[view][unit]
        ]

    def stacked(self, unit: int) -> dict[str, Tensor]:
        """Return a sample: slices as channels of one image."""
        found = {}
        for view in VIEWS:
            image = np.stack(self.read(view, unit), axis=-1)
            varied = self.transform(image=image)["image"]
            found[view] = torch.from_numpy(np.ascontiguousarray(varied.transpose(2, 0, 1)))
        return found

    def by_slice(self, unit: int) -> dict[str, Tensor]:
        """Return a sample: slice by slice, with the same parameters."""
        found = {}
        for view in VIEWS:
            first, *rest = self.read(view, unit)
            named = {f"image{slot}": image for slot, image in enumerate(rest, 1)}
            varied = self.shared(image=first, **named)
            slices = [varied["image"], *(varied[name] for name in named)]
            found[view] = torch.from_numpy(np.stack(slices))
        return found

    def plain(self, unit: int) -> dict[str, Tensor]:
        """Return a unit without augmentation, {view: (S, H, W)} 0-1."""
        return {
            view: torch.from_numpy(np.stack(self.read(view, unit)).astype(np.float32) / 255)
            for view in VIEWS
        }


def _transform(**more: str) -> Any:
    """Return the published chain with the numbers of set D; `more` images share its parameters."""
    import albumentations as A  # noqa: N812 - as everybody calls it

    low, high = 5**0.5 / 255, 30**0.5 / 255
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # ShiftScaleRotate is old, and what was published
        return A.Compose(
            [
                A.RandomBrightnessContrast(brightness_limit=0.2, contrast_limit=0.2, p=0.5),
                A.OneOf(
                    [
                        A.MotionBlur(blur_limit=5),
                        A.MedianBlur(blur_limit=5),
                        A.GaussianBlur(blur_limit=(3, 5)),
                        A.GaussNoise(std_range=(low, high)),
                    ],
                    p=0.5,
                ),
                A.OneOf(
                    [
                        A.OpticalDistortion(distort_limit=1.0),
                        A.GridDistortion(num_steps=5, distort_limit=1.0),
                        A.ElasticTransform(alpha=3),
                    ],
                    p=0.5,
                ),
                A.ShiftScaleRotate(
                    shift_limit=0.1, scale_limit=0.1, rotate_limit=8, border_mode=0, p=0.5
                ),
                A.Resize(*PIXELS),
                A.CoarseDropout(
                    num_holes_range=(1, 16),
                    hole_height_range=(4, 40),
                    hole_width_range=(4, 40),
                    p=0.5,
                ),
                A.Normalize(mean=0.5, std=0.5),
            ],
            additional_targets=more,
            seed=0,
        )


def monai_dataset(samples: Samples, cache: Path) -> Any:
    """Return MONAI's way: what is not random is kept on disk, the rest is done for each sample."""
    from monai import transforms as m
    from monai.data import PersistentDataset
    from monai.utils import set_determinism

    warnings.simplefilter("ignore")  # its own use of what torch will drop
    set_determinism(0)
    keys, angle, far = list(VIEWS), np.deg2rad(8), 0.1 * PIXELS[0]
    low, high = 5**0.5 / 255, 30**0.5 / 255
    blur = m.OneOf(
        [
            m.RandGaussianSmoothd(keys, sigma_x=(0.3, 1.3), sigma_y=(0.3, 1.3), prob=1),
            m.MedianSmoothd(keys, radius=1),
            m.Compose([m.RandGaussianNoised(key, std=(low + high) / 2, prob=1) for key in keys]),
            m.Identityd(keys),
        ],
        weights=[1, 1, 1, 3],
    )
    distortion = m.OneOf(
        [
            m.Rand2DElasticd(keys, spacing=(56, 56), magnitude_range=(0, 7), prob=1),
            m.RandGridDistortiond(keys, num_cells=5, distort_limit=0.9, prob=1),
            m.Identityd(keys),
        ],
        weights=[1, 1, 2],
    )
    chain = [
        *_monai_reading(keys),
        m.RandScaleIntensityd(keys, factors=0.2, prob=0.5),
        m.RandShiftIntensityd(keys, offsets=0.2, prob=0.5),
        blur,
        distortion,
        m.RandAffined(
            keys,
            prob=0.5,
            rotate_range=angle,
            translate_range=far,
            scale_range=0.1,
            padding_mode="zeros",
        ),
        m.RandCoarseDropoutd(
            keys,
            holes=1,
            max_holes=16,
            spatial_size=4,
            max_spatial_size=40,
            fill_value=0,
            prob=0.5,
        ),
        m.NormalizeIntensityd(keys, subtrahend=0.5, divisor=0.5),
    ]
    return PersistentDataset(samples.arrays, m.Compose(chain), cache_dir=cache)


def _monai_reading(keys: list[str]) -> list[Any]:
    from monai import transforms as m

    return [
        m.LoadImaged(keys, reader="NumpyReader", channel_dim=0),
        m.Resized(keys, PIXELS, mode="bilinear"),
        m.EnsureTyped(keys, dtype=torch.float32, track_meta=False),
    ]


def monai_plain(samples: Samples, unit: int) -> dict[str, Tensor]:
    """Return a unit as MONAI reads it, {view: (S, H, W)} 0-1."""
    from monai import transforms as m

    found = m.Compose(_monai_reading(list(VIEWS)))(samples.arrays[unit])
    return {view: found[view] for view in VIEWS}


def _gap(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    """Return the 99.9th percentile of differences away from the edges, where sides differ."""
    gaps = [
        (one[view] - other[view])[:, 8:-8, 8:-8].abs().flatten().quantile(0.999).item()
        for view in VIEWS
    ]
    return max(gaps)
