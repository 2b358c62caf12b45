"""Reads and masks the names that Chinese ID cards print."""

import re
import unicodedata

from runtime.facts import N_, Invalid

SHORTEST, LONGEST = 2, 20  # Chinese characters; middle dots do not count

# Every mark people type for the middle dot of a transcribed name, as in 买买提·吐尔逊.
_DOTS = str.maketrans(dict.fromkeys(".•‧∙⋅・･．●▪᛫·", "·"))
# Unified ideographs of all planes, the zero 〇, and the twelve compatibility code points that are unified.
_HAN = (
    "\u3007\u3400-\u4dbf\u4e00-\u9fff\ufa0e\ufa0f\ufa11\ufa13\ufa14\ufa1f\ufa21\ufa23\ufa24\ufa27-\ufa29"
    "\U00020000-\U0002a6df\U0002a700-\U0002ee5d\U00030000-\U0003347f"
)
_FORM = re.compile(f"[{_HAN}]+(?:·[{_HAN}]+)*")
# Spaces of every width, zero-width marks, and variation selectors, which only choose a drawing.
_NOISE = re.compile("[\\s\u200b-\u200f\u2060\ufeff\ufe00-\ufe0f\U000e0100-\U000e01ef]")

_WRONG = N_("Please enter the name in Chinese characters, exactly as the ID card prints it.")
_LENGTH = N_("A name has 2 to 20 Chinese characters.")


def normalise(text: str) -> str:
    """The name in the one form we compare and store: NFC, no spaces, U+00B7 as dot. Raises Invalid(name=...)."""
    name = _NOISE.sub("", unicodedata.normalize("NFC", text)).translate(_DOTS)
    if not _FORM.fullmatch(name):
        raise Invalid(name=_WRONG)
    if not SHORTEST <= len(name.replace("·", "")) <= LONGEST:
        raise Invalid(name=_LENGTH)
    return name


def mask(name: str) -> str:
    """The first character and a star for each other one: 李*, 买***·***."""
    return name[0] + "".join("·" if character == "·" else "*" for character in name[1:])
