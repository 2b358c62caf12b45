"""The result of a bench as a table of ratios."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"


def table(found: dict[str, Any]) -> Iterator[str]:
    """Lines of a Markdown table; what was not measured has no line."""
    details = found["details"]
    yield "| measured | a second | of bare | p50 ms | p99 ms | server's CPU, us |"
    yield "|---|--:|--:|--:|--:|--:|"
    yield f"| bare route | {found['bare_rps']:,.0f} | 1.000 | | | {details['bare_cpu_us']:.0f} |"
    for name, what in (
        ("bare_read", "bare route that reads a body"),
        ("client", "load client, at a server that does nothing"),
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


def servers(found: dict[str, Any]) -> Iterator[str]:
    """uvicorn beside granian as a Markdown table."""
    names = list(found["speed"])
    columns = [
        _server({check: found[check][name] for check in found if check != "machine"}) for name in names
    ]
    yield f"| | {' | '.join(names)} |"
    yield "|---|--:|--:|"
    for row in zip(*columns, strict=True):
        yield f"| {row[0][0]} | {' | '.join(value for _, value in row)} |"


def _server(found: dict[str, Any]) -> list[tuple[str, str]]:
    """What was found of one server, by what it is."""
    streams, kill, count = found["streams"], found["kill"], f"{found['streams']['streams']:,}"
    speed = [
        row
        for kind, what in (("bare", "bare requests"), ("hold", "holds accepted"))
        for row in (
            (f"{what} a second", f"{found['speed'][kind]['per_second']:,.0f}"),
            (f"{what}: p99, ms", f"{found['speed'][kind]['p99_ms']:.1f}"),
            (f"{what}: server's CPU for one, us", f"{found['speed'][kind]['cpu_us']:.0f}"),
        )
    ]
    return [
        *speed,
        (f"memory of an open event stream, of {count}, KB", f"{streams['bytes_a_stream'] / 1000:.1f}"),
        (f"a push to {count} streams, ms until the last has it", f"{median(streams['push_all_ms']):.0f}"),
        ("SIGTERM with them open: ended after s", _end(streams["sigterm"])),
        ("streams cut in the middle of an event", str(streams["closed"]["torn"])),
        ("SIGTERM, idle: ended after s", _end(found["stop_idle"]["SIGTERM"])),
        ("SIGINT, idle: ended after s", _end(found["stop_idle"]["SIGINT"])),
        ("SIGTERM while buyers buy: ended after s", _end(found["stop_under_load"]["sigterm"])),
        ("holds made then of which the buyer was not told", str(found["stop_under_load"]["untold"])),
        ("kill -9 of the process that serves", kill["after_killing_the_worker"]),
        ("its port answers by itself afterwards", "yes" if kill["answers_again"] else "no"),
        ("kill -9 of its parent", kill["after_killing_the_parent"]),
        ("start until it answers, s", f"{kill['start_seconds']:.1f}"),
    ]


def _end(told: dict[str, Any]) -> str:
    return "never, killed" if told["code"] is None else f"{told['seconds']:.1f}, code {told['code']}"


def where(machine: dict[str, Any]) -> str:
    """Where it was measured, in one sentence."""
    cores, versions = machine["cores"], ("starlette", "granian", "uvicorn", "uvloop", "numpy")
    return (
        f"Measured at commit {machine['commit'][:7]} on {machine['cpu']}, {machine['system']}, core {cores['serve']} "
        f"serving and {cores['load']} loading; Python {machine['python']}, "
        f"{', '.join(f'{name} {machine[name]}' for name in versions)}, Redis {machine['redis_server']} "
        f"(appendfsync {machine['appendfsync']}), {machine['database']}."
    )


def write(section: str, lines: Iterable[str]) -> None:
    """Put the lines between the section's marks on the page of benchmarks; raises ValueError without marks."""
    text = PAGE.read_text(encoding="utf-8")
    begin, end = f"<!-- {section} -->\n", f"<!-- end {section} -->\n"
    before, mark, rest = text.partition(begin)
    _, closing, after = rest.partition(end)
    if not (mark and closing):
        raise ValueError(f"{PAGE} has no marks for {section}")
    PAGE.write_text(f"{before}{begin}{chr(10).join(lines)}\n{end}{after}", encoding="utf-8")
