"""Every table there is: importing this fills the metadata."""

import importlib
from importlib.util import find_spec

import runtime.outbox
import runtime.ticker  # noqa: F401

for _package in ("inventory", "kyc", "logistics", "checkout", "storefront"):
    if find_spec(f"{_package}.models"):
        importlib.import_module(f"{_package}.models")
