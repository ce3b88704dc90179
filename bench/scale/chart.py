"""The chart: times of the flat queries and of the plain views, both axes logarithmic."""

from html import escape
from math import log10

from markdown import number, short

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 880, 500, 64, 222, 46, 52
LEAST, MOST = 0.1, 100_000.0  # ms
SHOWN = ("risk-metrics", "dashboard", "list of 50", "list of 200", "performance 30 d", "trends 1 y, all metrics")
STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #24292f } .title { font-size: 15px; font-weight: 600 }
  .quiet { fill: #57606a } .grid { stroke: #d0d7de; stroke-width: 1 } .promise { stroke: #57606a; stroke-dasharray: 2 4 }
  .flat { stroke: #0969da; fill: none; stroke-width: 2 } .plain { stroke: #bc4c00; fill: none; stroke-width: 1.5; stroke-dasharray: 5 4 }
  .flat-dot { fill: #0969da } .plain-dot { fill: #bc4c00 } .more { fill: none; stroke: #bc4c00 }
  text.flat-name { fill: #0969da } text.plain-name { fill: #bc4c00 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .quiet { fill: #9198a1 } .grid { stroke: #30363d } .promise { stroke: #9198a1 }
    .flat { stroke: #58a6ff } .plain { stroke: #f0883e } .flat-dot { fill: #58a6ff } .plain-dot { fill: #f0883e }
    .more { stroke: #f0883e } text.flat-name { fill: #58a6ff } text.plain-name { fill: #f0883e }
  }"""


class Scale:

    def __init__(self, sizes):
        self.low, self.high = log10(sizes[0]), log10(sizes[-1])

    def x(self, size):
        return LEFT + (WIDTH - LEFT - RIGHT) * (log10(size) - self.low) / (self.high - self.low)

    def y(self, ms):
        share = (log10(min(max(ms, LEAST), MOST)) - log10(LEAST)) / (log10(MOST) - log10(LEAST))
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share


def axes(scale, sizes):
    ticks = ((0.1, "0.1 ms"), (1, "1 ms"), (10, "10 ms"), (100, "100 ms"), (1000, "1 s"), (10_000, "10 s"),
             (100_000, "100 s"))
    for ms, name in ticks:
        yield f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{scale.y(ms):.1f}" y2="{scale.y(ms):.1f}"/>'
        yield f'<text class="quiet" x="{LEFT - 8}" y="{scale.y(ms) + 4:.1f}" text-anchor="end">{name}</text>'
    for size in sizes:
        yield f'<text class="quiet" x="{scale.x(size):.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">{short(size)}</text>'
    yield f'<text class="quiet" x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 12}" text-anchor="middle">patients of the organization</text>'
    yield f'<line class="promise" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{scale.y(100):.1f}" y2="{scale.y(100):.1f}"/>'
    yield (f'<text class="quiet" x="{WIDTH - RIGHT - 6}" y="{scale.y(100) - 5:.1f}" text-anchor="end">'
           'the guide promises less than 100 ms</text>')


def line(scale, kind, points, given_up):
    path = " ".join(f"{scale.x(size):.1f},{scale.y(ms):.1f}" for size, ms in points)
    yield f'<polyline class="{kind}" points="{path}"/>'
    for nth, (size, ms) in enumerate(points, 1):
        # An open circle is a lower bound.
        shape = 'more" r="4' if given_up and nth == len(points) else f'{kind}-dot" r="2.5'
        yield f'<circle class="{shape}" cx="{scale.x(size):.1f}" cy="{scale.y(ms):.1f}"><title>{duration(ms)}</title></circle>'


def duration(ms):
    return f"{number(ms / 1000)} s" if ms >= 1000 else f"{number(ms)} ms"


def spread(wanted):
    """Places the names at the right edge from the top, without overlaps."""
    placed, free = [], 0.0
    for y, kind, text in sorted(wanted):
        free = max(y, free)
        placed.append((free, kind, text))
        free += 14
    return placed


def chart(plan, reads):
    scale = Scale(plan.sizes)
    parts, names = list(axes(scale, plan.sizes)), []
    for kind, found in (("plain", reads["plain"]), ("flat", reads["http"])):
        for name in SHOWN:
            points = [(size, found[size, name]["median"]) for size in plan.sizes if found.get((size, name))]
            given_up = points[-1][0] < plan.largest
            if given_up:
                points.append((plan.largest, plan.plain_seconds * 1000))
            parts += line(scale, kind, points, given_up)
            names.append((scale.y(points[-1][1]) + 4, kind,
                          f"{name}: {'> ' if given_up else ''}{duration(points[-1][1])}"))
    for y, kind, text in spread(names):
        parts.append(f'<text class="{kind}-name" x="{WIDTH - RIGHT + 10}" y="{y:.1f}">{escape(text)}</text>')
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" aria-labelledby="t">',
            f"<title id=\"t\">Median time of an answer by the size of the clinic, from {plan.sizes[0]:,} to {plan.largest:,} patients</title>",
            f"<style>{STYLE}</style>",
            f'<text class="title" x="{LEFT}" y="22">Median time of an answer by the size of the clinic</text>',
            f'<text class="flat-name" x="{LEFT}" y="39">— through nginx, one client</text>',
            f'<text class="plain-name" x="{LEFT + 200}" y="39">- - the plain views alone, in the database</text>',
            *parts,
            "</svg>",
            "",
        ]
    )
