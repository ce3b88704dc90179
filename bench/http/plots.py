"""A plot by connections or by workers: requests a second on the left, the 99th percentile on the right."""

from math import ceil, floor, log10

from cells import COMPUTED
from markdown import number
from svg import document

WIDTH, HEIGHT, TOP, BOTTOM, LEFT, PANEL, BETWEEN = 880, 380, 76, 48, 64, 330, 92
COLOURS = ("first", "second")
STYLE = """
  .first { stroke: #0969da; fill: none; stroke-width: 2 } .second { stroke: #bc4c00; fill: none; stroke-width: 2 }
  .dashed { stroke-dasharray: 5 4 } text.first { stroke: none; fill: #0969da } text.second { stroke: none; fill: #bc4c00 }
  @media (prefers-color-scheme: dark) {
    .first { stroke: #58a6ff } .second { stroke: #f0883e } text.first { fill: #58a6ff } text.second { fill: #f0883e } }"""


def lines_of(series, figure):
    """The points and the style of each line: a colour for each endpoint, dashed with a response cache."""
    endpoints = list(dict.fromkeys(each["endpoint"] for each in series))
    found = {}
    for each in series:
        style = COLOURS[endpoints.index(each["endpoint"])] + ("" if each["who"] == COMPUTED else " dashed")
        found.setdefault((each["endpoint"], each["who"], style), []).append((each["count"], each[figure]))
    return found


def panel(left, title, lines):
    """Every count has the same width. Both figures are logarithmic, because the two endpoints differ a lot."""
    counts = sorted({count for points in lines.values() for count, _ in points})
    values = [value for points in lines.values() for _, value in points]
    low, high = floor(log10(min(values))), ceil(log10(max(values)))
    high = high if high > low else low + 1

    def x(count):
        return left + PANEL * (counts.index(count) + 0.5) / len(counts)

    def y(value):
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (log10(value) - low) / (high - low)

    yield f'<text class="quiet" x="{left}" y="{TOP - 10}">{title}</text>'
    for power in range(low, high + 1):
        for factor in (1, 2, 5) if power < high else (1,):
            height = y(factor * 10 ** power)
            yield f'<line class="grid" x1="{left}" x2="{left + PANEL}" y1="{height:.1f}" y2="{height:.1f}"/>'
            yield (f'<text class="quiet" x="{left - 8}" y="{height + 4:.1f}" text-anchor="end">'
                   f"{factor * 10 ** power:,g}</text>")
    for count in counts:
        yield f'<text class="quiet" x="{x(count):.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">{count}</text>'
    for (endpoint, who, style), points in lines.items():
        path = " ".join(f"{x(count):.1f},{y(value):.1f}" for count, value in points)
        yield f'<polyline class="{style}" points="{path}"><title>{endpoint}, {who}</title></polyline>'
        for count, value in points:
            yield (f'<circle class="{style.split()[0]}" cx="{x(count):.1f}" cy="{y(value):.1f}" r="2.5">'
                   f"<title>{number(value)}</title></circle>")


def legend(lines):
    for i, (endpoint, who, style) in enumerate(lines):
        x = LEFT + 205 * i
        yield f'<line class="{style}" x1="{x}" x2="{x + 24}" y1="42" y2="42"/>'
        yield f'<text class="{style.split()[0]}" x="{x + 30}" y="46">{endpoint}, {who.split(", ")[1]}</text>'


def plot(series, what):
    parts = [*legend(lines_of(series, "rate")),
             *panel(LEFT, "answers a second", lines_of(series, "rate")),
             *panel(LEFT + PANEL + BETWEEN, "99th percentile, ms", lines_of(series, "p99")),
             f'<text class="quiet" x="{WIDTH / 2}" y="{HEIGHT - 8}" text-anchor="middle">{what}</text>']
    return document(f"Answers a second and their times by {what}", WIDTH, HEIGHT, STYLE, LEFT, parts)
