"""What an audit found: a difference, in words for people and with what a repair has to know."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Difference:
    """`kind` names the key or relation that is off ("" when only a person can judge it), `about` the number, hold,
    order or counter; `said` is what the journal says there, `found` what Redis has, None is nothing."""

    text: str
    kind: str = ""
    about: str = ""
    lot: int = 0
    said: str | None = None
    found: str | None = None
    mends: int = 0  # how often counters of the lot had been mended when this was seen
