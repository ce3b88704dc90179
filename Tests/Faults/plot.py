"""Draws the samples as an SVG: four curves over a common time axis, with a line for each fault."""

WIDTH, HEIGHT, LEFT, TOP, GAP = 860, 110, 70, 30, 34
CURVES = (("answers", "answers a second"), ("memory", "resident memory, MB"), ("descriptors", "open descriptors"),
          ("connections", "connections to the database"))
COLOURS = ("#1f6f8b", "#7b4fa3", "#b3541e", "#3d7d3d")


def draw(samples, events, path):
    last = samples[-1].at
    rows = [panel(samples, last, events, index, name, title) for index, (name, title) in enumerate(CURVES)]
    height = TOP + len(CURVES) * (HEIGHT + GAP) + 16
    axis = "".join(f'<text x="{x(minute * 60, last):.0f}" y="{height - 8}" text-anchor="middle">{minute} min</text>'
                   for minute in ticks(last))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 20} {height}" '
                    f'font-family="sans-serif" font-size="12" fill="#333">'
                    f'<rect width="100%" height="100%" fill="#fff"/>'
                    f'{"".join(rows)}{axis}</svg>\n')


def x(at, last):
    return LEFT + WIDTH * at / last


def ticks(last):
    minutes = last / 60
    step = max(1, round(minutes / 6))
    return range(0, int(minutes) + 1, step)


def panel(samples, last, events, index, name, title):
    top = TOP + index * (HEIGHT + GAP)
    scale = 1024 if name == "memory" else 1
    values = [(sample.at, getattr(sample, name) / scale) for sample in samples]
    highest = max(value for _, value in values) * 1.1 or 1
    points = " ".join(f"{x(at, last):.1f},{top + HEIGHT - HEIGHT * value / highest:.1f}" for at, value in values)
    lines = "".join(f'<line x1="{x(at, last):.1f}" x2="{x(at, last):.1f}" y1="{top}" y2="{top + HEIGHT}" '
                    f'stroke="#ddd"><title>{what}</title></line>' for at, what in events)
    return (f'<text x="{LEFT}" y="{top - 8}">{title}</text>{lines}'
            f'<rect x="{LEFT}" y="{top}" width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#999"/>'
            f'<text x="{LEFT - 6}" y="{top + 10}" text-anchor="end">{highest:.0f}</text>'
            f'<text x="{LEFT - 6}" y="{top + HEIGHT}" text-anchor="end">0</text>'
            f'<polyline points="{points}" fill="none" stroke="{COLOURS[index]}" stroke-width="1.5"/>')
