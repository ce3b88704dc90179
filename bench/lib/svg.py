"""The frame of a chart, in the colours of light and dark pages."""

BASE = """
  text { font: 12px system-ui, sans-serif; fill: #24292f } .title { font-size: 15px; font-weight: 600 }
  .quiet { fill: #57606a } .grid { stroke: #d0d7de; stroke-width: 1 }
  @media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .quiet { fill: #9198a1 } .grid { stroke: #30363d } }"""


def document(title, width, height, style, left, parts):
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" aria-labelledby="t">',
            f'<title id="t">{title}</title>',
            f"<style>{BASE}{style}</style>",
            f'<text class="title" x="{left}" y="22">{title}</text>',
            *parts,
            "</svg>",
            "",
        ]
    )
