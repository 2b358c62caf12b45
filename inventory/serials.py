"""Serials with a Luhn check digit: IMEI of handsets, ICCID of SIM cards (DOMAIN 6.4), and made-up ones."""

import re

from runtime.facts import N_, Invalid

_IMEI = re.compile(r"[0-9]{15}")
_ICCID = re.compile(r"8986[0-9]{15,16}")


def imei(text: str) -> str:
    """The 15 digits; raises Invalid(imei=...)."""
    digits = re.sub(r"[ -]", "", text)
    if not _IMEI.fullmatch(digits):
        raise Invalid(imei=N_("An IMEI has 15 digits."))
    if not luhn(digits):
        raise Invalid(imei=N_("The check digit of this IMEI is wrong: read it again."))
    return digits


def iccid(text: str) -> str:
    """The 19 or 20 digits; raises Invalid(iccid=...)."""
    digits = re.sub(r"[ -]", "", text)
    if not _ICCID.fullmatch(digits):
        raise Invalid(iccid=N_("An ICCID has 19 or 20 digits and begins with 8986."))
    if not luhn(digits):
        raise Invalid(iccid=N_("The check digit of this ICCID is wrong: read it again."))
    return digits


def luhn(digits: str) -> bool:
    """Does the last digit check the others?"""
    return _sum(digits) % 10 == 0


def made_up_imei(serial: int, model: str = "86012345") -> str:
    """A valid IMEI for demo and test stock; `model` is its 8-digit type code, serial 0 to 999,999."""
    return _checked(f"{model}{serial:06}")


def made_up_iccid(serial: int) -> str:
    """A valid 20-digit ICCID of the demo issuer, serial 0 to 999,999,999,999."""
    return _checked(f"8986012{serial:012}")


def _checked(body: str) -> str:
    return f"{body}{-_sum(body + '0') % 10}"


def _sum(digits: str) -> int:
    values = [int(digit) for digit in digits]
    return sum(values[-1::-2]) + sum(sum(divmod(2 * value, 10)) for value in values[-2::-2])
