"""The result of a bench as a table of ratios."""

from collections.abc import Iterator
from typing import Any


def table(found: dict[str, Any]) -> Iterator[str]:
    """Lines of a Markdown table; what was not measured has no line."""
    details = found["details"]
    yield "| measured | a second | of bare | p50 ms | p99 ms | server's CPU, us |"
    yield "|---|--:|--:|--:|--:|--:|"
    yield f"| bare route | {found['bare_rps']:,.0f} | 1.000 | | | {details['bare_cpu_us']:.0f} |"
    for name, what in (
        ("bare_read", "bare route that reads a body"),
        ("hold", "hold accepted"),
        ("sold_out", "sold out"),
    ):
        if told := details.get(name):
            ratio = told.get("ratio", told["per_second"] / found["bare_rps"])
            yield _line(what, told, f"{ratio:.3f}")
    if told := details.get("pools"):
        few, many = (size for size in told if size.isdigit())
        yield _line(f"hold, {int(few):,} numbers", told[few], "")
        yield _line(f"hold, {int(many):,} numbers", told[many], f"{told['ratio']:.3f} of that")
    for size, told in details.get("search_http", {}).items():
        yield _line(f"search, {int(size):,} numbers", told, f"{told['per_second'] / found['bare_rps']:.3f}")
    for name, what in (
        ("order", "order (search, hold, order)"),
        ("order_with_workers", "order, workers running"),
    ):
        if told := details.get(name):
            yield _line(what, told, f"costs {told['cost']:.1f} bare requests")
    if sizes := details.get("stacks"):
        yield ""
        yield "| search at the function | p50 ms | p99 ms | slowest query | bytes a number |"
        yield "|---|--:|--:|---|--:|"
        for size, told in sizes.items():
            times = f"{told['p50_ms']:.2f} | {told['p99_ms']:.2f}"
            yield f"| {int(size):,} numbers | {times} | {told['worst']} | {told['bytes_a_number']:.1f} |"


def _line(what: str, told: dict[str, Any], ratio: str) -> str:
    times = f"{told['p50_ms']:.1f} | {told['p99_ms']:.1f} | {told['cpu_us']:.0f}"
    return f"| {what} | {told['per_second']:,.0f} | {ratio} | {times} |"
