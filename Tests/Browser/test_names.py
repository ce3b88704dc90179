"""Whatever somebody is called, the page shows just that."""

import pytest

NAMES = {
    "script": "<script>alert(1)</script>", "image": "<img src=x onerror=alert(1)>", "markup": "&lt;b&gt; {{7*7}} ${1}",
    "arabic": "محمد عبد الله الحسن", "hebrew": "דוד בן־גוריון", "override": "abc\u202egnirts\u202c", "chinese": "王小明",
    "hindi": "अर्जुन शर्मा", "joined": "👩‍👩‍👧‍👦 Family", "combining": "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́Ǫ̵̹̻̝̳͂̌̌͘!", "long": "Aaaaaaaaaaaaaaaaaaaaaaaa" * 40,
    "spaced": "Wolfeschlegelsteinhausenbergerdorff " * 12, "quotes": "O'Brien \"Bo\" `x`"
}


@pytest.mark.parametrize("width", [1280, 360])
def test_names_in_any_script_are_text_and_break_nothing(page, api, clinic, width):
    for number, (key, name) in enumerate(NAMES.items()):
        clinic.add(key, name, days=60 + number, notes=name, phone=name[:30], email=name[:60])
    page.look(width=width, mobile=width < 500)
    page.open("#/", token=api.signer.token(clinic.id), wait=".top-list")
    for view in ("#/", "#/patients", *(f"#/patients/{key}" for key in NAMES)):
        page.go(view, "[data-patient]")
        assert page.run("return document.documentElement.scrollWidth") <= width, view
        assert page.run("return document.querySelectorAll('main script, main img').length") == 0
    page.go("#/patients", ".patients")
    shown = page.run("return Object.fromEntries([...document.querySelectorAll('.patient')].map((each) =>"
                     "[each.dataset.patient, each.querySelector('h2').textContent]))")
    assert shown == NAMES
    # A name that runs the other way does not turn its surroundings.
    direction = "return getComputedStyle(document.querySelector(`[data-patient=${arguments[0]}] h2 bdi`)).direction"
    assert page.run(direction, "arabic") == "rtl" and page.run(direction, "quotes") == "ltr"
    page.click("[data-key='contact script sms']")
    page.find("dialog [value=no_response]")
    assert NAMES["script"] in page.text("dialog h2")
    page.click("dialog [value=no_response]")
    page.click("dialog [type=submit]")
    page.click("[data-state=waiting] .quiet")
    page.find("[data-state=logged]")
    assert NAMES["script"] in page.text("#contacts")
