"""The base class of all settings.

A Spec holds every default, refuses keys that it does not know and never changes.
It knows nothing of recipes, files or networks.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict

__all__ = ["Spec"]


class Spec(BaseModel):
    """Settings: frozen, complete, plain JSON.

    Fields named in `neutral` leave the identity alone while they stand at their default, so that a
    new option does not make old work stale; fields named in `speed` never enter the identity.

    Example:
        >>> class Fit(Spec):
        ...     epochs: int = 5
        >>> Fit(epochs=3).identity()
        {'epochs': 3}
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    @classmethod
    def neutral(cls) -> frozenset[str]:
        """Return the fields that are left out of the identity while at their default."""
        return frozenset()

    @classmethod
    def speed(cls) -> frozenset[str]:
        """Return the fields that change how fast the result comes but not what it is."""
        return frozenset()

    def identity(self) -> dict[str, Any]:
        """Return the settings that decide the result, as plain JSON values."""
        return {
            name: _plain(getattr(self, name))
            for name, field in type(self).model_fields.items()
            if name not in self.speed()
            and not (name in self.neutral() and getattr(self, name) == field.get_default())
        }


def _plain(value: Any) -> Any:
    if isinstance(value, Spec):
        return value.identity()
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted(_plain(item) for item in value)
    return value
