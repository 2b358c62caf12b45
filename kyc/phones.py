"""Reads and masks mobile numbers of mainland China, the only ones we send codes to."""

import re
import unicodedata

from runtime.facts import N_, Invalid

# libphonenumber 9.0.43, mobile numbers of region CN.
_MOBILE = re.compile(
    r"1(?:(?:610[0-9]|740[0-5])[0-9]{6}"
    r"|(?:[38][0-9]|4[57]|[59][0-35-9]|6[25-7]|7[0-35-8])[0-9]{8})"
)
_COUNTRY = re.compile(r"^(?:\+|00)?86(?=1)")

_WRONG = N_("Please enter a mainland China mobile number: 11 digits that start with 1.")


def normalise(text: str) -> str:
    """The 11 digits; +86, 0086, 86, spaces, dashes and full-width digits are accepted. Raises Invalid(phone=...)."""
    digits = re.sub(r"[\s\-\u2010-\u2015()]", "", unicodedata.normalize("NFKC", text))
    phone = _COUNTRY.sub("", digits)
    if not _MOBILE.fullmatch(phone):
        raise Invalid(phone=_WRONG)
    return phone


def mask(phone: str) -> str:
    """186****5678."""
    return f"{phone[:3]}****{phone[-4:]}"
