"""Templates to pages that stand alone: no network, no scripts from elsewhere, everything inside.

What a page says is not known here.
"""

import base64
import io
from functools import cache
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image

from overread.reporting.colours import ink_on

__all__ = ["image_uri", "render", "svg_uri"]

JPEG_QUALITY = 88


def render(template: str, /, **content: Any) -> str:
    """Return the page; all content is escaped, except what is `Markup` already."""
    return _environment().get_template(template).render(**content)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("overread.reporting", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = percent
    environment.filters["short_uid"] = short_uid
    environment.filters["ink_on"] = ink_on
    environment.globals["style"] = Markup(  # noqa: S704 - our own file
        environment.get_template("style.css").render()
    )
    return environment


def percent(share: float) -> str:
    """Return a share as people read it.

    Example:
        >>> percent(0.123), percent(0.999), percent(0.0004)
        ('12%', '>99%', '<1%')
    """
    if 0 < share < 0.01:
        return "<1%"
    return ">99%" if 0.99 < share < 1 else f"{share:.0%}"


def short_uid(uid: str) -> str:
    """Return the end of a long UID, which is what differs.

    Example:
        >>> short_uid("1.2.826.0.1.3680043.8.498.12345678901234567890")
        '…01234567890'
    """
    return uid if len(uid) <= 16 else f"…{uid[-11:]}"


def image_uri(image: NDArray[np.uint8], *, lossless: bool = False) -> str:
    """Return an image as a data URI: JPEG, or PNG where it must be exact.

    Args:
        image: (rows, columns) or (rows, columns, 3).
        lossless: PNG.
    """
    buffer = io.BytesIO()
    picture = Image.fromarray(np.ascontiguousarray(image))
    if lossless:
        picture.save(buffer, "PNG", optimize=True)
    else:
        picture.save(buffer, "JPEG", quality=JPEG_QUALITY)
    kind = "png" if lossless else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def svg_uri(svg: bytes) -> str:
    """Return a drawing as a data URI."""
    return f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"
