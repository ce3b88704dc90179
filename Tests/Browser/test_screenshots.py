"""Screenshots of the main views. With SAVE=1 they replace the files in docs/images."""

import os
import subprocess
from pathlib import Path

import pytest

IMAGES = Path(__file__).resolve().parents[2] / "docs/images"
PICTURES = {
    "overview": ("#/", {}), "patients": ("#/patients", {}),
    "performance": ("#/performance?timeframe=last_90_days", {}), "trends": ("#/trends?period=90d", {}),
    "patient": ("#/patients/patient_40", {}), "overview, dark": ("#/", {"dark": True}),
    "trends, dark": ("#/trends?period=90d", {"dark": True}),
    "patients, phone": ("#/patients?level=critical", {"width": 390, "height": 844, "mobile": True})
}


@pytest.mark.nightly
@pytest.mark.parametrize("name", PICTURES)
def test_a_screenshot_of_each_main_view(page, tmp_path, name):
    fragment, looks = PICTURES[name]
    page.look(**looks)
    page.open(fragment)
    page.until(lambda: not page.all(".skeleton, main[aria-busy]"))
    if "trends" in name:
        page.until(lambda: page.run("return globalThis.Chart && Object.keys(Chart.instances).length === 5"))
    raw, picture = tmp_path / f"{name}.png", tmp_path / f"{name}.webp"
    page.save(raw, height=1400 if "phone" not in name else 844)
    subprocess.run(["cwebp", "-quiet", "-q", "82", "-m", "6", raw, "-o", picture], check=True)
    assert 5_000 < picture.stat().st_size < 300_000
    if os.environ.get("SAVE") == "1" and (IMAGES / picture.name).exists():
        (IMAGES / picture.name).write_bytes(picture.read_bytes())
