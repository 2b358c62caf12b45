"""The report of a surge: a page in Markdown and a picture in SVG."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from math import log10
from pathlib import Path
from typing import Any

from storefront import bench_report, surge_judged

Points = Sequence[tuple[float, float]]
_WIDTH, _HEIGHT, _LEFT, _TOP, _GAP = 960, 190, 78, 64, 64  # of a panel, in pixels
_COLOURS = ("#1f5fbf", "#c2410c", "#15803d", "#7e22ce", "#64748b", "#b91c1c")
_KINDS = ("accepted", "refused", "busy", "client fault", "server fault")
_MEANT = {
    "accepted": "2xx",
    "refused": "a rule says no: not your turn, taken, sold out, limit reached, over",
    "busy": "503 or no answer: come again",
    "client fault": "any other 4xx",
    "server fault": "any other 5xx",
}


def write(found: Mapping[str, Any], folder: Path, name: str, command: str) -> Path:
    """Write NAME.md and NAME.svg; gives the page."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.svg").write_text(picture(found))
    page = folder / f"{name}.md"
    page.write_text("\n".join(_page(found, name, command)) + "\n")
    return page


def _page(found: Mapping[str, Any], name: str, command: str) -> Iterator[str]:
    details = found["details"]
    yield f"# A surge of {details['plan']['shoppers']:,} for {details['plan']['numbers']:,} numbers"
    yield from ("", "```", f"$ {command}", *surge_judged.closing_lines(found), "```", "")
    yield f"![Numbers, queue, answers and how long they took, by second]({name}.svg)"
    yield from ("", "| what became of them | people |", "|---|--:|")
    for outcome, count in Counter(details["outcomes"]).most_common():
        yield f"| {outcome} | {count:,} |"
    yield from (
        "",
        f"| answers | {' | '.join(_KINDS)} | p50 ms | p99 ms |",
        f"|---|{'--:|' * (len(_KINDS) + 2)}",
    )
    answers, took = _by_name(details["series"])
    for what in sorted(answers, key=lambda one: -sum(answers[one].values())):
        counts = " | ".join(f"{answers[what][kind]:,}" for kind in _KINDS)
        yield f"| {what} | {counts} | {_ms(took[what], 0.5):.1f} | {_ms(took[what], 0.99):.1f} |"
    yield ""
    yield "; ".join(f"{kind}: {meant}" for kind, meant in _MEANT.items()) + "."
    yield ""
    yield bench_report.where(details["machine"])


def picture(found: Mapping[str, Any]) -> str:
    """Four panels, one below the other, by seconds from the opening."""
    details = found["details"]
    opens_at, samples = details["opens_at"], details["samples"]

    def of(name: str) -> Points:
        return [(one["at"] - opens_at, one[name]) for one in samples]

    waiting = [(one["at"] - opens_at, max(0, one["last"] - one["served"])) for one in samples]
    by_second, slowness = _by_second(details["series"], opens_at)
    span = min(one["at"] for one in samples) - opens_at, max(one["at"] for one in samples) - opens_at
    panels = [
        _panel(span, "Numbers", "", {"free": of("free"), "held": of("held"), "ordered": of("ordered")}),
        _panel(span, "People", "", {"here": of("standing"), "waiting": waiting, "inside": of("inside")}),
        _panel(span, "Answers a second", "", {kind: by_second[kind] for kind in _KINDS if by_second[kind]}),
        _panel(span, "Milliseconds until the answer", " ms", slowness, least=1.0),
    ]
    height = len(panels) * (_HEIGHT + _GAP) + _TOP
    drawn = "\n".join(
        f'<g transform="translate(0 {_TOP + nth * (_HEIGHT + _GAP)})">{panel}</g>'
        for nth, panel in enumerate(panels)
    )
    plan = details["plan"]
    title = f"{plan['shoppers']:,} shoppers, {plan['numbers']:,} numbers, seconds from the opening"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif" '
        f'font-size="13"><rect width="{_WIDTH}" height="{height}" fill="#fff"/>'
        f'<text x="{_LEFT}" y="22" font-size="16" font-weight="bold">{escape(title)}</text>\n{drawn}\n</svg>\n'
    )


def _panel(
    span: tuple[float, float], title: str, unit: str, lines: Mapping[str, Points], *, least: float = 0.0
) -> str:
    """Lines over seconds; `least` above zero makes the scale logarithmic from there."""
    every = [point for points in lines.values() for point in points]
    if not every:
        return f'<text x="{_LEFT}" y="14">{escape(title)}: nothing</text>'
    first, last = span
    most = max(max(y for _, y in every), 1.0)
    scale = _Scale(first, max(last, first + 1), most, least)
    parts = [f'<text x="{_LEFT}" y="-8" font-weight="bold">{escape(title)}</text>']
    for value in scale.ticks():
        y = scale.y(value)
        parts.append(f'<path d="M{_LEFT} {y:.1f}H{_WIDTH - 10}" stroke="#e2e8f0"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:,.0f}{unit}</text>')
    for second in _round_steps(first, last):
        x = scale.x(second)
        parts.append(f'<text x="{x:.1f}" y="{_HEIGHT + 18}" text-anchor="middle">{second:+.0f} s</text>')
    if first < 0 < last:
        parts.append(f'<path d="M{scale.x(0):.1f} 0V{_HEIGHT}" stroke="#94a3b8" stroke-dasharray="4 3"/>')
    at = _LEFT + 8 * len(title) + 20
    for colour, (name, points) in zip(_COLOURS, lines.items(), strict=False):
        path = "L".join(f"{scale.x(x):.1f} {scale.y(y):.1f}" for x, y in points if first <= x <= last)
        parts.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="1.6"/>')
        parts.append(f'<text x="{at}" y="-8" fill="{colour}">{escape(name)}</text>')
        at += 7 * len(name) + 22
    return "".join(parts)


class _Scale:
    """Where a value stands in a panel."""

    def __init__(self, first: float, last: float, most: float, least: float) -> None:
        self.first, self.last, self.least, self.most = first, last, least, most
        if least:
            self.most = 10.0
            while self.most < most:
                self.most *= 10

    def x(self, second: float) -> float:
        return _LEFT + (second - self.first) / (self.last - self.first) * (_WIDTH - _LEFT - 10)

    def y(self, value: float) -> float:
        if not self.least:
            return _HEIGHT * (1 - value / self.most)
        decades = _decades(self.most / self.least)
        return _HEIGHT * (1 - _decades(max(value, self.least) / self.least) / decades)

    def ticks(self) -> list[float]:
        if self.least:
            return [self.least * 10**n for n in range(round(_decades(self.most / self.least)) + 1)]
        step = _step(self.most / 4)
        return [step * n for n in range(int(self.most / step) + 1)]


def _decades(ratio: float) -> float:
    return log10(ratio)


def _step(about: float) -> float:
    """The next of 1, 2 or 5 times a power of ten."""
    power = 1.0
    while power * 10 <= about:
        power *= 10
    return next((power * n for n in (1, 2, 5) if power * n >= about), power * 10)


def _round_steps(first: float, last: float) -> list[float]:
    step = _step((last - first) / 8)
    start = -(-first // step) * step
    return [start + step * n for n in range(int((last - start) / step) + 1)]


def _by_second(
    series: Sequence[Mapping[str, Any]], opens_at: float
) -> tuple[dict[str, Points], dict[str, Points]]:
    """Answers of each kind a second; p50 and p99 of holds and orders in each second that had some."""
    kinds: dict[str, Counter[int]] = {kind: Counter() for kind in _KINDS}
    took: dict[str, defaultdict[int, Counter[int]]] = {
        what: defaultdict(Counter) for what in ("hold", "order")
    }
    for one in series:
        for second, counts in one["seconds"].items():
            for name, count in counts.items():
                kinds[next(kind for kind in _KINDS if name.endswith(kind))][int(second)] += count
        for second, names in one["took"].items():
            for what in took:
                took[what][int(second)].update({int(b): n for b, n in names.get(what, {}).items()})
    seconds = sorted({second for counts in kinds.values() for second in counts})
    answered: dict[str, Points] = {
        kind: [(second - opens_at, float(counts[second])) for second in seconds] if counts else []
        for kind, counts in kinds.items()
    }
    slowness: dict[str, Points] = {
        f"{what} {name}": [(at - opens_at, _ms(of[at], share)) for at in sorted(of) if of[at]]
        for what, of in took.items()
        for name, share in (("p50", 0.5), ("p99", 0.99))
    }
    return answered, slowness


def _by_name(series: Sequence[Mapping[str, Any]]) -> tuple[dict[str, Counter[str]], dict[str, Counter[int]]]:
    """Of each request: answers by kind, and the buckets of how long they took."""
    answers: defaultdict[str, Counter[str]] = defaultdict(Counter)
    took: defaultdict[str, Counter[int]] = defaultdict(Counter)
    for one in series:
        for counts in one["seconds"].values():
            for name, count in counts.items():
                kind = next(kind for kind in _KINDS if name.endswith(kind))
                answers[name.removesuffix(f" {kind}")][kind] += count
        for names in one["took"].values():
            for what, buckets in names.items():
                took[what].update({int(b): n for b, n in buckets.items()})
    return answers, took


def _ms(buckets: Counter[int], share: float) -> float:
    """Milliseconds within which that share was answered, as exact as the buckets of loadtests/crowd.py are."""
    wanted, seen = share * buckets.total(), 0
    for bucket in sorted(buckets):
        seen += buckets[bucket]
        if seen >= wanted:
            return float(2 ** ((bucket + 1) / 8) - 1)
    return 0.0
