"""A patient's page: notes, attendance, value and the history of outreach."""

from decimal import Decimal

ORGANIZATION = "org_demo_1"


def busiest(api):
    patients = api.answer(ORGANIZATION, "patients/prioritized?limit=40")["patients"]
    details = [api.answer(ORGANIZATION, api.patient_path(patient["id"])) for patient in patients]
    return max(details, key=lambda each: (each["treatment_notes"] is not None, len(each["outreach"])))


def test_the_page_shows_every_field_of_the_api(page, api):
    patient = busiest(api)
    page.open(f"#/patients/{patient['id']}", wait=".what-to-do")
    text = page.text("main")
    wanted = [
        patient["name"], patient["phone"] or "No phone", patient["email"] or "No email", patient["recommended_action"],
        f"Priority {patient['action_priority']}", f"risk score {patient['risk_score']} of 100",
        f"{patient['days_since_last_contact']} days since the last contact", f"{patient['previous_response_rate']}%",
        patient["treatment_notes"], patient["engagement_status"].capitalize()
    ]
    assert all(part in text for part in wanted), (wanted, text)
    assert page.text("#lifetime-value").split()[0] == f"{Decimal(patient['lifetime_value']):,.2f}"
    rate = patient["attendance_rate_percent"]
    assert (f"{rate}%" if rate is not None else "No visits") in text
    assert page.run(
        "return [...document.querySelectorAll('[data-outreach]')].map((each) => each.dataset.outreach)"
    ) == [each["outreach_id"] for each in patient["outreach"]]
    for shown, each in zip(page.texts("[data-outreach]"), patient["outreach"]):
        assert each["notes"] in shown and each["logged_by"] in shown


def test_an_unknown_patient_gets_an_explanation(page):
    page.allowed = ["404 (Not Found)"]
    page.open("#/patients/nobody", wait="#problem")
    assert "There is no such patient" in page.text("#problem") and "Request " in page.text("#problem")
    page.click("[data-key=back]")
    page.find(".patients")


def test_an_id_may_have_any_character_that_an_address_allows(page, api, clinic):
    strange = "a/b?c#d %41 \u00e9\u4e2d"
    clinic.add(strange, "Odd Id", notes="Two\nlines")
    page.open("#/patients", token=api.signer.token(clinic.id), wait=".patients")
    page.click(".patient h2 a")
    page.find(".what-to-do")
    assert "Odd Id" in page.text("h1") and "Two\nlines" in page.text("main")
