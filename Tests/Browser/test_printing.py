"""On paper every view is complete and labelled, and has no controls."""

import base64
import subprocess
import xml.etree.ElementTree as tree

import pytest

PAPERS = {"A4": (8.27, 11.69), "Letter": (8.5, 11)}
VIEWS = {
    "overview": "#/", "patients": "#/patients?level=critical", "performance": "#/performance",
    "trends": "#/trends?period=1y",
    "patient": "#/patients/patient_40"
}
FOR_THE_SCREEN = ("Sign out", "Previous", "Figures", "Skip to", "All patients", "On a page", "Performance by")
MARGIN = 12 / 25.4 * 72


def printed(page, folder, paper="A4"):
    """Returns the words of each sheet with their positions in points."""
    width, height = PAPERS[paper]
    made = page.command("Page.printToPDF", paperWidth=width, paperHeight=height)["data"]
    (folder / "page.pdf").write_bytes(base64.b64decode(made))
    text = subprocess.run(["pdftotext", "-bbox", folder / "page.pdf", "-"], stdout=subprocess.PIPE, check=True).stdout
    sheets = [sheet for sheet in tree.fromstring(text).iter() if sheet.tag.endswith("}page")]
    return [[(word.text or "", float(word.get("xMin")), float(word.get("xMax"))) for word in sheet] for sheet in sheets]


def text_of(sheets):
    return " ".join(word for sheet in sheets for word, *_ in sheet)


@pytest.mark.nightly(after=1)
@pytest.mark.parametrize("paper", PAPERS)
@pytest.mark.parametrize("name", VIEWS)
def test_each_view_is_printed_completely(page, tmp_path, name, paper):
    page.open(VIEWS[name])
    page.until(lambda: not page.all(".skeleton, main[aria-busy]"))
    title = page.text("h1")
    sheets = printed(page, tmp_path, paper)
    text = text_of(sheets)
    assert title in text and "org_demo_1, as of" in text.replace(" ,", ",")
    assert not [part for part in FOR_THE_SCREEN if part in text]
    assert name not in ("overview", "patients") or "Phone" not in text
    right = PAPERS[paper][0] * 72 - MARGIN
    outside = [word for sheet in sheets for word, left, end in sheet if left < MARGIN - 1 or end > right + 1]
    assert not outside
    assert f"{len(sheets)} / {len(sheets)}" in text


@pytest.mark.parametrize("look", [{}, {"width": 390, "height": 844, "mobile": True}, {"dark": True}],
                         ids=["wide", "phone", "dark"])
def test_charts_reach_their_newest_week(page, tmp_path, look):
    page.look(**look)
    page.open("#/trends?period=1y", wait="canvas")
    page.until(lambda: page.run("return globalThis.Chart && Object.keys(Chart.instances).length === 5"))
    before = page.run("return [...document.querySelectorAll('canvas')].map((each) => each.clientWidth)")
    # This listener runs after the page's own and records the complete chart.
    page.run(
        "addEventListener('beforeprint', () => { window.ticks = Object.values(Chart.instances).map((each) =>"
        "({ labels: each.scales.x.ticks.map(({ label }) => label), text: each.options.plugins.legend.labels.color })) })"
    )
    words = text_of(printed(page, tmp_path))
    charts = page.run("return ticks")
    assert len(charts) == 5 and all(len(chart["labels"]) > 3 for chart in charts)
    for chart in charts:
        assert all(label in words for label in chart["labels"]), (chart["labels"], words)
        assert chart["text"] == "#000000"
    # On the screen the charts have their former size again.
    page.until(
        lambda: page.run("return [...document.querySelectorAll('canvas')].map((each) => each.clientWidth)") == before
    )
    assert page.run(
        "return Object.values(Chart.instances).every((each) => each.options.plugins.legend.labels.color !== '#000000')"
    ) or not look.get("dark")


@pytest.mark.nightly
def test_a_chart_fits_its_sheet_even_without_a_redraw(page):
    """A chart drawn for a wide screen is scaled to the sheet."""
    page.before("ResizeObserver = class { observe() {} unobserve() {} disconnect() {} }")
    page.open("#/trends?period=1y", wait="canvas")
    page.until(lambda: page.run("return globalThis.Chart && Object.keys(Chart.instances).length === 5"))
    page.look(width=700, height=990)
    page.command("Emulation.setEmulatedMedia", media="print")
    beyond = page.run("return [...document.querySelectorAll('canvas')].map((each) => each.getBoundingClientRect())"
                      ".map(({ width, right }) => width > 0 ? right - document.documentElement.clientWidth : 1)")
    assert len(beyond) == 5 and max(beyond) <= 0


def test_the_list_repeats_its_headings_on_each_sheet(page, tmp_path, api, clinic):
    for number in range(60):
        clinic.add(f"p{number}", f"Patient {number}", days=60 + number)
    page.open("#/patients", token=api.signer.token(clinic.id), wait=".patients")
    page.run(
        "const select = document.querySelector('.size select'); select.value = 100; select.dispatchEvent(new Event('change'))"
    )
    page.until(lambda: len(page.all(".patient")) == 60)
    sheets = printed(page, tmp_path)
    assert len(sheets) > 2
    for sheet in sheets:
        words = [word for word, *_ in sheet]
        assert words.count("Responds") == 1 and words.index("Responds") < words.index("Patient") + 20, words
    assert "1–60 of 60" in text_of(sheets)


def test_open_tables_of_figures_are_printed_completely(page, tmp_path):
    page.open("#/trends?period=1y", wait="canvas")
    page.run("document.querySelector('details').open = true")
    page.find("tbody tr")
    rows = page.run("return [...document.querySelectorAll('tbody tr th')].map((each) => each.textContent)")
    sheets = printed(page, tmp_path)
    words = text_of(sheets)
    assert len(rows) == 365 and all(row in words for row in rows)
    heads = [sheet for sheet in sheets if any(word == "From" for word, *_ in sheet)]
    assert len(heads) > 4


def test_levels_can_be_distinguished_without_their_colours(page):
    page.open()
    names = ("critical", "high", "medium", "low", "engaged")
    colours = page.run("const style = getComputedStyle(document.documentElement); return arguments[0].map((name) =>"
                       "style.getPropertyValue(`--paper-${name}`).trim())", list(names))
    lightness = [lightness_of(colour) for colour in colours]
    assert all(lighter - darker >= 12 for darker, lighter in zip(lightness, lightness[1:])), dict(zip(names, lightness))


def lightness_of(colour):
    """CIE L*, the lightness that a black-and-white printer would produce."""
    channels = [int(colour[start:start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055)**2.4 for each in channels]
    luminance = sum(part * each for part, each in zip((0.2126, 0.7152, 0.0722), linear))
    return 116 * luminance**(1 / 3) - 16


@pytest.mark.nightly
def test_the_dark_scheme_prints_on_white(page):
    page.open()
    page.command("Emulation.setEmulatedMedia", media="print",
                 features=[{"name": "prefers-color-scheme", "value": "dark"}])
    text = page.run("return getComputedStyle(document.body).color.match(/\\d+/g).map(Number)")
    page.command("Emulation.setEmulatedMedia", media="")
    assert max(text) < 60
