"""Numbers, tables and paragraphs in Markdown, and figures rounded for JSON."""

import textwrap


def number(value):
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def short(size):
    return f"{size // 1_000_000}M" if size % 1_000_000 == 0 else f"{size // 1000}k" if size % 1000 == 0 else f"{size:,}"


def paragraph(text):
    return textwrap.fill(text, 118, break_long_words=False, break_on_hyphens=False)


def table(heads, rows):
    """Aligns the first column to the left, the others to the right."""
    lines = [heads, ["---"] + ["---:"] * (len(heads) - 1), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def rounded(value):
    if isinstance(value, dict):
        return {str(key): rounded(member) for key, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(member) for member in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value
