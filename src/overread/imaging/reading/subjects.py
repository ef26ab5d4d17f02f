"""A pseudonym for each person: the PatientID, unless it could tell a name.

Knows nothing of files; never returns a name.
"""

import hashlib
import re

__all__ = ["pseudonym"]

# Words in the name field that are no names.
PLACEHOLDERS = frozenset(
    {"anon", "anonymous", "anonymized", "anonymised", "case", "deidentified", "dicom", "none",
     "patient", "phantom", "study", "subject", "test", "unknown", "volunteer"}
)  # fmt: skip


def pseudonym(patient_id: str, patient_name: str, study_uid: str) -> str:
    """Return the PatientID, or a short hash when it is empty or gives a name away.

    The same person gets the same pseudonym in every study that writes the same ID and name.

    Args:
        patient_id: as written.
        patient_name: as written; compared, never returned.
        study_uid: the last resort for a study without ID and name.
    """
    identity, name = patient_id.strip(), patient_name.strip()
    if not identity:
        return _short_hash(name) if name else study_uid
    if looks_like_a_name(identity) or _tells(identity, name):
        return _short_hash(f"{identity}|{name}")
    return identity


def looks_like_a_name(text: str) -> bool:
    """Tell whether an identifier could be a person's name: carets, commas, or no digit at all."""
    return "^" in text or "," in text or not any(letter.isdigit() for letter in text)


def _tells(identity: str, name: str) -> bool:
    """Tell whether the identifier is the name, or holds a part of it."""
    plain = _plain(identity)
    if plain == _plain(name):
        return True
    parts = re.split(r"[\W_]+", name.casefold())
    return any(
        len(part) >= 4 and not any(c.isdigit() for c in part) and part in plain
        for part in parts
        if part not in PLACEHOLDERS
    )


def _plain(text: str) -> str:
    return re.sub(r"[\W_]+", "", text.casefold())


def _short_hash(text: str) -> str:
    return "subject-" + hashlib.sha256(text.encode()).hexdigest()[:12]
