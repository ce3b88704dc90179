"""The page shows every name exactly as it is stored."""

import pytest

from browser import must_have_no_violation

NAMES = {
    "script": "<script>alert(1)</script>",
    "image": "<img src=x onerror=alert(1)>",
    "markup": "&lt;b&gt; {{7*7}} ${1}",
    "arabic": "محمد عبد الله الحسن",
    "hebrew": "דוד בן־גוריון",
    "override": "abc\u202egnirts\u202c",
    "chinese": "王小明",
    "hindi": "अर्जुन शर्मा",
    "joined": "👩‍👩‍👧‍👦 Family",
    "combining": "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́Ǫ̵̹̻̝̳͂̌̌͘!",
    "long": "Aaaaaaaaaaaaaaaaaaaaaaaa" * 40,
    "spaced": "Wolfeschlegelsteinhausenbergerdorff " * 12,
    "quotes": "O'Brien \"Bo\" `x`",
}


@pytest.mark.nightly(after=1)
@pytest.mark.parametrize("width", [1280, 360])
def test_names_in_any_script_are_text_and_keep_the_layout(page, api, clinic, width):
    for number, (key, name) in enumerate(NAMES.items()):
        clinic.add(key, name, days=60 + number, notes=name, phone=name[:30], email=name[:60])
    page.look(width=width, mobile=width < 500)
    page.open("#/", token=api.signer.token(clinic.id), wait=".top-list", undo_for=600_000)
    for view in ("#/", "#/patients", *(f"#/patients/{key}" for key in NAMES)):
        page.go(view, "[data-patient]")
        assert page.run("return document.documentElement.scrollWidth") <= width, view
        assert page.run("return document.querySelectorAll('main script, main img').length") == 0
    page.go("#/patients", ".patients")
    shown = page.run("return Object.fromEntries([...document.querySelectorAll('.patient')].map((each) =>"
                     "[each.dataset.patient, each.querySelector('h2').textContent]))")
    assert shown == NAMES
    # A right-to-left name does not change the direction of the text around it.
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


NAMELESS = {
    "empty": "", "blank": "   ", "zero_width": "\u200b", "no_break": "\u00a0", "joiner": "\u2060",
    "bidi": "\u202e\u2066\u202c",
    "filler": "\u3164", "braille": "\u2800", "mark": "\u0301", "soft": "\u00ad\ufeff"
}


def test_a_patient_without_a_name_is_shown_by_the_id(page, api, clinic, axe):
    for number, (key, name) in enumerate(NAMELESS.items()):
        clinic.add(key, name, days=60 + number, notes=name, phone=name, email=name)
    page.open("#/", token=api.signer.token(clinic.id), wait=".top-list", undo_for=600_000)
    small = ("return [...document.querySelectorAll('main a')].filter((each) => {"
             "const box = each.getBoundingClientRect(); return box.width < 20 || box.height < 10; }).length")
    for view in ("#/", "#/patients", *(f"#/patients/{key}" for key in NAMELESS)):
        page.go(view, "[data-patient]")
        assert page.run(small) == 0, view
        must_have_no_violation(page, axe, view)
        if (key := view.rpartition("/")[2]) in NAMELESS:
            text = page.text("main")
            assert page.text("h1") == f"(no name) · {key}"
            assert all(part in text for part in ("No phone", "No email", "No notes."))
    page.go("#/patients", ".patients")
    assert set(page.texts(".patient h2")) == {f"(no name) · {key}" for key in NAMELESS}
    assert page.run("return document.querySelector('[data-patient=zero_width] .contact-row').ariaLabel") == (
        "Contact (no name) · zero_width")
    page.click("[data-key='contact zero_width phone']")
    page.until(lambda: "No phone number on file." in page.text("dialog"))
    assert page.text("dialog h2") == "Phone to (no name) · zero_width"
    page.click("dialog [value=no_response]")
    page.click("dialog [type=submit]")
    page.find("[data-state=waiting]")
    assert "Phone to (no name) · zero_width" in page.text("#contacts")
    page.click("[data-state=waiting] button")
    page.until(lambda: "Nothing was logged for (no name) · zero_width." in page.text("#announcer"))


PHONES = {
    "+61 491 570 006": "+61491570006",
    "(02) 9374-4000": "0293744000",
    "02.9374.4000": "0293744000",
    "02 9374 4000 ext. 12": "0293744000;ext=12",
    "020 7946 0000 x12": "02079460000;ext=12",
    "02 9374 4000;ext=12": "0293744000;ext=12",
    "0491570006 EXT ٤": "0491570006;ext=4",
    "0491 570 006 ext.12 (work)": "0491570006;ext=12",
    "٠٢ ٩٣٧٤ ٤٠٠٠": "0293744000",
    "＋６１ ４９１ ５７０ ００６": "+61491570006",
    "०२ ९३७४ ४०००": "0293744000",
    "\u202a+61 491 570 006\u202c": "+61491570006",
    "Tel. 0491 570 006 (mum)": "0491570006",
    "tel:+61491570006": "+61491570006",
    "+44 (0)20 7946 0000": "+442079460000",
    "+1-800-FLOWERS": "+18003569377",
    "13 CATS": "132287",
    "0491 570 006 / 0491 570 007": "0491570006",
    "089/1234567": "0891234567",
    "0491 570 006 or 02 9374 4000": "0491570006",
    "000": "000",
    "none": None,
    "": None,
    "+": None,
    "ext 12": None,
    "1300 flowers": None,
    "*31#0491570006": None,
    "9374 4000 9374 4001": None,
}
ADDRESSES = {
    " a@b.org ": "a@b.org", "Ann <a+x@b.org>": "a+x@b.org", "mailto:a@b.org": "a@b.org", "a@b.org, c@d.org": "a@b.org",
    "a@b.org.": "a@b.org", "ü@ö.example": "%C3%BC@%C3%B6.example", "a%b&c@d.org": "a%25b%26c@d.org", "none": None,
    "a@@b": None,
    "@b.org": None, "a@b.org?bcc=c@d.org": None
}


def test_a_number_opens_a_call_without_characters_that_a_link_may_not_have(page):
    page.open()
    ask = ("const [texts, done] = arguments; import('/dashboard/js/names.js').then(({ phoneLink, mailLink }) => done("
           "texts.map((text) => [phoneLink('tel', text), phoneLink('sms', text), mailLink(text)])))")
    links = dict(zip(PHONES, page.driver.execute_async_script(ask, list(PHONES))))
    assert {text: link[0] for text, link in links.items()} == {text: number and f"tel:{number}"
                                                               for text, number in PHONES.items()}
    # An SMS cannot be sent to an extension.
    assert all(link[1] == (number and "sms:" + number.split(";")[0])
               for (text, number), link in zip(PHONES.items(), links.values()))
    links = page.driver.execute_async_script(ask, list(ADDRESSES))
    assert [link[2] for link in links] == [address and f"mailto:{address}" for address in ADDRESSES.values()]


def test_the_dialog_links_numbers_that_can_be_dialled_and_shows_the_others_as_text(page, api, clinic):
    clinic.add("ann", "Ann", phone="Tel. (02) 9374 4000 ext. 7",
               email="Ann <ann@example.org>").add("bob", "Bob", phone="ask his wife")
    page.open("#/patients", token=api.signer.token(clinic.id), wait=".patients")
    for key, href in (("ann phone", "tel:0293744000;ext=7"), ("ann sms", "sms:0293744000"),
                      ("ann email", "mailto:ann@example.org"),
                      ("bob phone", None)):
        page.click(f"[data-key='contact {key}']")
        page.find("dialog .contact-number")
        assert (
            page.run("return document.querySelector('dialog .contact-address a')?.getAttribute('href') ?? null") == href
        )
        page.click("dialog .quiet")
        page.until(lambda: not page.all("dialog"))
    page.click("[data-key='contact bob phone']")
    page.until(lambda: "ask his wife" in page.text("dialog"))
    page.click("dialog .quiet")


# A patient whose words do not occur in the page's own text.
WORDS = {"name": "Nomen Zwölf", "phone": "+61 491 570 012", "email": "zwoelf@example.org", "notes": "Notiz zwölf"}


def untranslatable(page):
    """Returns the given words in text that a browser would translate."""
    return page.run(
        """
        const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), found = [];
        while (walker.nextNode()) {
          const { data, parentElement } = walker.currentNode;
          const isKept = parentElement.closest('[translate]')?.getAttribute('translate') === 'no'
              || parentElement.closest('script, style');
          if (!isKept) found.push(...arguments[0].filter((word) => data.includes(word)));
        }
        return found;""",
        [*WORDS.values(), "id_zwölf", "user_zwoelf"],
    )


@pytest.mark.nightly
def test_patient_data_is_not_offered_for_translation(page, api, clinic):
    clinic.add("id_zwölf", WORDS["name"], phone=WORDS["phone"], email=WORDS["email"],
               notes=WORDS["notes"]).add("id_zwölf_2", "")
    page.open("#/", token=api.signer.token(clinic.id, sub="user_zwoelf"), wait=".top-list")
    page.go("#/patients", ".patients")
    assert untranslatable(page) == [] and all(WORDS[name] in page.text("main") for name in ("name", "phone", "email"))
    page.click("[data-key='contact id_zwölf email']")
    page.find("dialog .contact-number")
    assert untranslatable(page) == []
    page.find("dialog textarea").send_keys(WORDS["notes"])
    page.click("dialog [value=no_response]")
    page.click("dialog [type=submit]")
    page.find("[data-state=waiting]")
    assert untranslatable(page) == []
    page.click("[data-state=waiting] .quiet")
    page.find("[data-state=logged]")
    page.go("#/patients/id_zw%C3%B6lf", ".history")
    assert "user_zwoelf" in page.text("main") and untranslatable(page) == []
    page.go("#/patients/id_zw%C3%B6lf_2", ".what-to-do")
    assert "id_zwölf_2" in page.text("h1") and untranslatable(page) == []
    assert page.run("return document.querySelector('.who .organization').translate") is False


CONTROLS = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200b\u00ad\ufeff\u0007"


@pytest.mark.nightly
def test_invisible_and_direction_characters_in_an_address_are_shown_as_codes(page, api, clinic):
    clinic.add("ann", "Ann", email="ann\u202egro.elpmaxe@mallory.example", phone="+61 491\u2066 570 006")
    clinic.add("bob", "Bob", email=CONTROLS.join(("bob@example.org", "")), phone=CONTROLS + "0491 570 006")
    named = "".join(f"U+{ord(each):04X}" for each in CONTROLS)
    page.open("#/patients", token=api.signer.token(clinic.id), wait=".patients")
    for view, selector in (("#/patients", "[data-patient=ann] .patient-address"),
                           ("#/patients/ann", ".patient-address")):
        page.go(view, selector)
        assert page.run("return [...document.querySelectorAll(arguments[0] + ' bdi')].map((each) => each.textContent)",
                        selector) == [
            "+61 491U+2066 570 006", "annU+202Egro.elpmaxe@mallory.example"]
    page.go("#/patients", ".patients")
    for key, shown in (("ann email", "annU+202Egro.elpmaxe@mallory.example"), ("bob email", "bob@example.org" + named),
                       ("bob phone", named + "0491 570 006")):
        page.click(f"[data-key='contact {key}']")
        page.find("dialog .contact-number")
        assert page.run("return document.querySelector('dialog .contact-number').textContent") == shown
        # A number is dialled by its digits. An unreadable e-mail address gets no link.
        assert page.run("return document.querySelector('dialog .contact-address a')?.getAttribute('href') ?? null") == (
            "tel:0491570006" if key == "bob phone" else None)
        page.click("dialog .quiet")
        page.until(lambda: not page.all("dialog"))


def around(page, selector):
    """Takes pictures of the areas just above and below an element."""
    left, top, width, bottom = page.run("""
        const box = document.querySelector(arguments[0]).getBoundingClientRect();
        return [box.left, box.top, Math.max(box.width, 100), box.bottom].map(Math.round);""", selector)
    return [page.command("Page.captureScreenshot",
                         clip={"x": left, "y": y, "width": width, "height": height, "scale": 1})["data"]
            for y, height in ((top - 60, 48), (bottom + 12, 200))]


@pytest.mark.nightly
def test_stacked_diacritics_stay_in_the_box_of_the_name(page, api, clinic):
    clinic.add("ann", "Z" + "\u0301\u0323" * 100, notes="Z" + "\u0301\u0323" * 100)
    page.open("#/patients/ann", token=api.signer.token(clinic.id), wait=".what-to-do")
    page.run("document.getElementById('updated').textContent = ''")

    def must_keep_to_itself(box, name):
        with_name = around(page, box)
        page.run("document.querySelector(arguments[0]).style.visibility = 'hidden'", name)
        assert around(page, box) == with_name, box

    must_keep_to_itself("h1", "h1 bdi")
    must_keep_to_itself("p.notes", "p.notes")
    page.click("[data-key='contact ann phone']")
    page.find("dialog .contact-number")
    page.run("document.activeElement.blur()")
    must_keep_to_itself("dialog h2", "dialog h2 bdi")
