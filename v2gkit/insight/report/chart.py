"""The picture of a session as SVG: power (charge up, discharge down) and SOC over time, prices beneath on the same axis."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from html import escape

from v2g.legible import legible
from v2gkit.insight.report.story import Sample, Steps, Story

WIDTH, LEFT, RIGHT = 960, 64, 56
POWER = (24, 250)  # top and height, px
PRICE = (310, 110)
HEIGHT = 452
Scale = Callable[[float], float]


def session_chart(story: Story) -> str:
    """The chart as SVG; an empty string when nothing flowed and nothing was offered."""
    chosen = next((t for t in story.offered if t.chosen), story.offered[0] if story.offered else None)
    plan = story.profile
    prices = (chosen.import_price, chosen.export_price) if chosen else ((), ())
    begin, end = _span(story.samples, (plan, *prices))
    if end <= begin:
        return ""
    x = _linear(begin, end, LEFT, WIDTH - RIGHT)
    parts = [*_power(story, plan, x, begin, end), *_prices(prices, x, begin, end, story.currency), *_hours(x, begin, end)]
    label = "Power and state of charge over time, prices beneath"
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">{"".join(parts)}</svg>'


def _span(samples: tuple[Sample, ...], steps: Iterable[Steps]) -> tuple[float, float]:
    if len(samples) > 1:  # what happened sets the frame; the plan is cut to it, with room for what was still planned nearby
        begin, end = samples[0].at, samples[-1].at
        return begin, end + 0.02 * (end - begin)
    edges = [t for s in steps for a, b, _ in s for t in (a, b)]
    return (min(edges), max(edges)) if edges else (0.0, 0.0)


def _linear(low: float, high: float, first: float, last: float) -> Scale:
    return lambda value: first + (value - low) / (high - low or 1.0) * (last - first)


def _nice(span: float) -> float:
    """A round step that gives about four to eight ticks over `span`."""
    power = 10.0 ** len(str(int(max(span, 1)))) / 100
    return next(s * power for s in (1, 2, 5, 10, 20, 50, 100) if span / (s * power) <= 6)


def _power(story: Story, plan: Steps, x: Scale, begin: float, end: float) -> list[str]:
    top, height = POWER
    shown = [s for s in story.samples if s.power is not None]
    values = [(s.power or 0.0) / 1000 for s in shown] + [v / 1000 for _, _, v in _cut(plan, begin, end)]
    low, high = min([0.0, *values]), max([1.0, *values])
    room = 0.08 * (high - low)
    y = _linear(low - (room if low < 0 else 0), high + room, top + height, top)
    parts = [_grid(y, _ticks(low, high), "kW", WIDTH)]
    zero = y(0)
    points = [(x(s.at), y((s.power or 0.0) / 1000)) for s in shown]
    if len(points) > 1:
        line = " ".join(f"{px:.1f},{py:.1f}" for px, py in points)
        area = f"{points[0][0]:.1f},{zero:.1f} {line} {points[-1][0]:.1f},{zero:.1f}"
        for name, clip_top, clip_height in (("charge", top - 20, zero - top + 20), ("discharge", zero, top + height - zero)):
            parts.append(
                f'<clipPath id="{name}"><rect x="0" y="{clip_top:.1f}" width="{WIDTH}" height="{max(clip_height, 0):.1f}"/></clipPath>'
            )
            parts.append(f'<polygon class="{name}" points="{area}" clip-path="url(#{name})"/>')
    parts.append(_path(_cut(plan, begin, end), x, lambda v: y(v / 1000), "plan"))
    parts.append(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{zero:.1f}" y2="{zero:.1f}"/>')
    return parts + _soc(story.samples, x)


def _soc(samples: tuple[Sample, ...], x: Scale) -> list[str]:
    top, height = POWER
    y = _linear(0, 100, top + height, top)
    line = " ".join(f"{x(s.at):.1f},{y(s.soc):.1f}" for s in samples if s.soc is not None)
    if not line:
        return []
    ticks = "".join(f'<text class="soc-tick" x="{WIDTH - RIGHT + 8}" y="{y(v) + 4:.1f}">{v} %</text>' for v in (0, 25, 50, 75, 100))
    return [f'<polyline class="soc" points="{line}"/>', ticks, f'<text class="unit" x="{WIDTH - RIGHT + 8}" y="{top - 10}">SOC</text>']


def _prices(prices: tuple[Steps, Steps], x: Scale, begin: float, end: float, currency: str) -> list[str]:
    shown = [_cut(p, begin, end) for p in prices]
    values = [v for steps in shown for _, _, v in steps]
    if not values:
        return []
    top, height = PRICE
    low, high = min(0.0, *values), max(0.01, *values)
    y = _linear(low, high * 1.08, top + height, top)
    parts = [_grid(y, _ticks(low, high), f"{escape(legible(currency))}/kWh", WIDTH, fine=True)]
    parts += [_path(steps, x, y, name) for steps, name in zip(shown, ("import", "export"), strict=True)]
    return parts


def _cut(steps: Steps, begin: float, end: float) -> Steps:
    return tuple((max(a, begin), min(b, end), v) for a, b, v in steps if b > begin and a < end)


def _path(steps: Steps, x: Scale, y: Scale, name: str) -> str:
    if not steps:
        return ""
    points = " ".join(f"{x(a):.1f},{y(v):.1f} {x(b):.1f},{y(v):.1f}" for a, b, v in steps)
    return f'<polyline class="{name}" points="{points}"/>'


def _ticks(low: float, high: float) -> list[float]:
    step = (
        _nice(high - low)
        if high - low >= 1
        else 10 ** -(len(f"{high - low:.6f}".split(".")[1]) - len(f"{high - low:.6f}".split(".")[1].lstrip("0")) + 1)
    )
    first = int(low / step) - (1 if low < 0 else 0)
    return [k * step for k in range(first, int(high / step) + 2) if low - 1e-9 <= k * step <= high + 1e-9]


def _grid(y: Scale, ticks: list[float], unit: str, width: int, fine: bool = False) -> str:
    form = "{:.2f}" if fine else "{:g}"
    lines = "".join(
        f'<line class="grid" x1="{LEFT}" x2="{width - RIGHT}" y1="{y(v):.1f}" y2="{y(v):.1f}"/>'
        f'<text class="tick" x="{LEFT - 8}" y="{y(v) + 4:.1f}">{form.format(v)}</text>'
        for v in ticks[:: max(1, len(ticks) // 6)]
    )
    highest = min(y(v) for v in ticks) if ticks else 20.0
    return lines + f'<text class="unit" x="{LEFT - 8}" y="{highest - 10:.1f}" text-anchor="end">{unit}</text>'


def _hours(x: Scale, begin: float, end: float) -> list[str]:
    step = next(s for s in (1, 5, 10, 30, 60, 300, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 10**9) if (end - begin) / s <= 10)
    form = "%H:%M:%S" if step < 60 else "%H:%M"
    first = int(begin // step + 1) * step
    bottom = PRICE[0] + PRICE[1]
    return [
        f'<line class="hour" x1="{x(t):.1f}" x2="{x(t):.1f}" y1="{POWER[0]}" y2="{bottom}"/>'
        f'<text class="tick hour-label" x="{x(t):.1f}" y="{bottom + 18}">{datetime.fromtimestamp(t, UTC).strftime(form)}</text>'
        for t in range(first, int(end) + 1, step)
    ]
