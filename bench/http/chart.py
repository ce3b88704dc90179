"""The README's chart: the CPU of a request by process, and requests a second."""

from html import escape

from cells import COMPARED, COMPUTED, CONSTANT, FASTAPI, PHP, STATEMENT, UNCHANGED, Cell
from markdown import number
from svg import document

WIDTH, LEFT, BAR, GAP, HEAD = 880, 190, 18, 6, 34
WIDEST = 420
WHOS = (COMPUTED, UNCHANGED, PHP, FASTAPI)
CEILINGS = (STATEMENT, CONSTANT)
PARTS = (("nginx", "nginx"), ("app", "server, or what stands in its place"), ("postgres", "PostgreSQL"))
STYLE = """
  .nginx { fill: #1a7f37 } .app { fill: #0969da } .postgres { fill: #8c959f }
  @media (prefers-color-scheme: dark) { .nginx { fill: #3fb950 } .app { fill: #58a6ff } .postgres { fill: #6e7681 } }"""


def bars(y, who, found, scale):
    yield f'<text x="{LEFT - 10}" y="{y + 13}" text-anchor="end">{escape(who)}</text>'
    x = LEFT
    for part, name in PARTS:
        used = found["cpu"].get(part, 0)
        yield (f'<rect class="{part}" x="{x:.1f}" y="{y}" width="{used * scale:.1f}" height="{BAR}">'
               f"<title>{escape(name)}: {number(used)} µs</title></rect>")
        x += used * scale
    total = sum(found["cpu"].values())
    yield (f'<text x="{x + 8:.1f}" y="{y + 13}">{number(total)} µs · '
           f'<tspan class="quiet">{found["rate"]:,.0f}/s</tspan></text>')


def panel(y, endpoint, found, size):
    """Each panel has its own scale, because a list of 200 costs ten times as much as a count."""
    shown = {who: found[cell] for who in WHOS if (cell := Cell(endpoint, who, "https", size)) in found}
    scale = WIDEST / max(sum(each["cpu"].values()) for each in shown.values())
    parts = [f'<text class="title" x="{LEFT}" y="{y + 20}">{endpoint}</text>']
    ceilings = [f"{who} {found[cell]['rate']:,.0f}/s" for who in CEILINGS
                for cell in (Cell(endpoint, who, "https" if who == CONSTANT else "", size),) if cell in found]
    parts.append(f'<text class="quiet" x="{LEFT + 110}" y="{y + 20}">at most: {escape("; ".join(ceilings))}</text>')
    y += HEAD
    for who, each in shown.items():
        parts += bars(y, who, each, scale)
        y += BAR + GAP
    return y + 8, parts


def chart(plan, found):
    parts, x = [], LEFT
    for part, name in PARTS:
        parts += [f'<rect class="{part}" x="{x}" y="38" width="12" height="12"/>',
                  f'<text x="{x + 18}" y="49">{name}</text>']
        x += 36 + 6 * len(name)
    y = 58
    for endpoint in COMPARED:
        y, panel_parts = panel(y, endpoint, found, plan.first)
        parts += panel_parts
    return document("CPU of one answer over HTTPS, and answers a second", WIDTH, y + 6, STYLE, LEFT, parts)
