"""How an MR series is weighted: from its words, from its times, and from both together.

Sources: usual ranges of spin-echo spine and brain protocols; T1 has a short echo and a short
repetition time, T2 a long echo, STIR a short inversion time, FLAIR a long one.
"""

import re
from dataclasses import dataclass

__all__ = ["MrTimes", "Weighting", "weighting_of"]

WORDS: tuple[tuple[str, str], ...] = (
    ("dwi", r"\bDWI|\bDIFF|\bADC\b|\bTRACE|\bDTI|\bB ?(?:800|1000)\b"),
    ("t2", r"\bSTIR|\bTIRM|\bT2 ?STIR|\bIRFSE"),
    ("t1", r"\bT1 ?(?:W )?FLAIR|\bFLAIR ?T1"),
    ("flair", r"FLAIR|\bTIRM DARK"),
    ("t1", r"(?<![A-Z0-9])T1(?![0-9])|\bMPRAGE|\bVIBE|\bBRAVO"),
    ("t2", r"(?<![A-Z0-9])T2(?![0-9])|\bMEDIC\b|\bMERGE\b|\bCISS\b|\bFIESTA\b|\bHASTE\b|\bMYELO"),
    ("pd", r"\bPD\b|\bPDW|\bPROTON"),
)


@dataclass(frozen=True)
class MrTimes:
    """The times of an MR sequence, ms; None where the header does not say.

    Attributes:
        echo: TE.
        repetition: TR.
        inversion: TI.
        gradient_echo: whether ScanningSequence names a gradient echo and no spin echo.
        inversion_recovery: whether ScanningSequence names an inversion recovery.
    """

    echo: float | None = None
    repetition: float | None = None
    inversion: float | None = None
    gradient_echo: bool = False
    inversion_recovery: bool = False


@dataclass(frozen=True)
class Weighting:
    """What a series is weighted to.

    Attributes:
        name: "t1", "t2", "pd", "flair", "dwi"; None when nothing told.
        confidence: 0 to 1.
        reason: in words.
    """

    name: str | None
    confidence: float
    reason: str


def weighting_of(words: str, times: MrTimes) -> Weighting:
    """Return the weighting by description and times.

    Where both agree it is sure. Where they contradict one another the times win, because
    descriptions are copied from protocol to protocol; the confidence says so.

    Args:
        words: descriptions, any case.
        times: of the sequence.
    """
    named, token = _by_words(words)
    timed, sure, why = _by_times(times)
    if named and timed:
        if named == timed:
            return Weighting(named, 0.98, f'named "{token}", and {why}')
        if {named, timed} <= {"pd", "t2"} or named in {"dwi", "flair"} or sure < 0.8:
            return Weighting(named, 0.7, f'named "{token}", although {why}')
        return Weighting(timed, 0.5, f'{why}, although it is named "{token}"')
    if named:
        return Weighting(named, 0.85, f'named "{token}"; no echo and repetition time')
    return Weighting(timed, sure, why or "neither words nor times tell the weighting")


def _by_words(words: str) -> tuple[str | None, str]:
    plain = re.sub(r"[^A-Z0-9*+]+", " ", words.upper())
    found: list[tuple[str, str]] = []
    for name, pattern in WORDS:
        match = re.search(pattern, plain)
        if match:
            found.append((name, match.group(0).strip()))
    if not found:
        return None, ""
    # "T1" and "T2" may be vertebrae: with both, words tell nothing unless a special one is there.
    if {name for name, _ in found} == {"t1", "t2"} and found[0][1] in {"T1", "T2"}:
        return None, ""
    return found[0]


def _by_times(times: MrTimes) -> tuple[str | None, float, str]:
    if times.echo is None or times.echo <= 0:
        return None, 0.0, ""
    words = f"TE {times.echo:g} ms"
    if times.repetition:
        words += f", TR {times.repetition:g} ms"
    if times.inversion and (times.inversion_recovery or times.inversion < 300):
        words += f", TI {times.inversion:g} ms"
        name, sure, why = _by_inversion(times.inversion)
        if name:
            return name, sure, f"{words}: {why}"
    if times.gradient_echo:
        return ("t2" if times.echo >= 15 else "t1"), 0.6, f"{words}, gradient echo"
    name, sure, why = _by_echo(times.echo, times.repetition or 0.0)
    return name, sure, f"{words}: {why}"


def _by_inversion(inversion: float) -> tuple[str | None, float, str]:
    if 60 <= inversion < 300:
        return "t2", 0.9, "STIR"
    if 400 <= inversion <= 1400:
        return "t1", 0.8, "T1 FLAIR"
    return ("flair", 0.9, "FLAIR") if inversion > 1400 else (None, 0.0, "")


def _by_echo(echo: float, repetition: float) -> tuple[str | None, float, str]:
    if echo >= 60:
        return "t2", 0.9, "long echo"
    if repetition <= 0:
        return ("t1", 0.5, "short echo") if echo <= 30 else (None, 0.0, "an echo between")
    if echo <= 45 and repetition > 1300:
        return "pd", 0.6, "short echo, long repetition"
    if echo <= 45:
        return "t1", 0.9, "short echo, short repetition"
    return "t2", 0.6, "rather long echo"
