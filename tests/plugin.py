"""What the suite adds to pytest: the switch that takes hold's guard out, and lines that say how much was proved."""

from typing import Any

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--without-guard",
        action="store_true",
        help="contention tests run with hold's guard line taken out of the Lua; they must fail",
    )


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """What tests recorded as `proof`, also from the processes of xdist."""
    lines = [
        value
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "when", "") == "call"
        for name, value in report.user_properties
        if name == "proof"
    ]
    if lines:
        terminalreporter.section("proof", sep="-")
        for line in lines:
            terminalreporter.line(line)
