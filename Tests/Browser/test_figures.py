"""Phases 3 and 4 of the guide: performance compared with the industry, and trends over every period."""

import pytest

ORGANIZATION = "org_demo_1"
METRICS = "risk_levels,success_rates,channel_performance"


def test_the_figures_in_the_texts_are_those_of_the_database(page, database):
    page.open("#/", wait=".top-list")
    shown = page.run("return import('/dashboard/js/figures.js').then(({ figures }) => figures)")
    with database.cursor() as cursor:
        for name, figure in shown.items():
            cursor.execute(f"SELECT re.{name}()")
            assert cursor.fetchone()[0] == figure, name
    assert len(shown) == 8


@pytest.mark.nightly(after=1)
@pytest.mark.parametrize("timeframe", ["last_7_days", "last_30_days", "last_90_days"])
def test_performance_is_the_apis(page, api, timeframe):
    page.open("#/performance", wait=".metrics")
    page.click(f".choice a[href$={timeframe}]")
    answer = api.answer(ORGANIZATION, f"performance?timeframe={timeframe}")
    metrics, benchmark = answer["reengagement_metrics"], answer["benchmark_comparison"]
    page.until(lambda: f"of {metrics['outreach_attempts']} attempts" in page.text(".metrics"))
    text = page.text(".metrics")
    for part in (f"{metrics['contact_success_rate']}%", f"{metrics['conversion_rate']}%",
                 f"{metrics['appointments_scheduled']} booked", str(metrics["avg_days_to_reengage"]),
                 f"industry average of {benchmark['industry_avg_contact_rate']}%",
                 f"industry average of {benchmark['industry_avg_conversion']}%"):
        assert part in text
    assert page.text("#verdict").lower().startswith(benchmark["our_performance"].replace("_", " "))
    for name, stats in answer["communication_channels"].items():
        for field, value in stats.items():
            if field.endswith("_rate"):
                assert f"{value}%" in page.text(f"[data-channel={name}] .big-figure")
            else:
                assert page.number(f"[data-channel={name}] [data-field={field}]") == value
        if any(stats.values()):
            assert "industry average of 55.0%" in page.text(f"[data-channel={name}] .against")


def table(page, title):
    """Opens the table of figures under a chart."""
    figure = f"details[data-key='figures {title}']"
    page.run("document.querySelector(arguments[0]).open = true", figure)
    page.find(f"{figure} tbody tr")
    return page.run(
        "return [...document.querySelectorAll(arguments[0] + ' tbody tr')].map((row) =>"
        "[...row.querySelectorAll('td')].map((cell) => cell.textContent))", figure)


@pytest.mark.nightly(after=2)
@pytest.mark.parametrize("period, days", [("7d", 7), ("30d", 30), ("90d", 90), ("6m", 182), ("1y", 365)])
def test_trends_are_the_apis(page, api, period, days):
    page.open("#/trends", wait=".chart")
    page.click(f".choice a[href$='={period}']")
    page.until(lambda: page.all(f".choice a[href$='={period}'][aria-current]") and not page.all("main[aria-busy]"))
    answer = api.answer(ORGANIZATION, f"trends?period={period}&metrics={METRICS}")
    daily = answer["daily_trends"]
    levels = table(page, "Patients by risk level")
    assert levels == [[str(number) for number in day["risk_levels"].values()] for day in daily] and len(levels) == days

    def total(title, column):
        return sum(int(row[column].replace(",", "")) for row in table(page, title))

    assert total("Newly at risk and re-engaged", 0) == sum(day["new_at_risk"] for day in daily)
    assert total("Newly at risk and re-engaged", 1) == sum(day["reengaged_successfully"] for day in daily)
    assert total("Outreach and appointments booked", 0) == sum(day["outreach_attempts"] for day in daily)
    assert total("Outreach and appointments booked", 1) == sum(day["appointments_scheduled"] for day in daily)
    if days < 90:
        shown = [row[0] for row in table(page, "Success by channel")]
        assert shown == [
            f"{day['channels']['sms']['success_rate']}%" if day["channels"]["sms"]["attempts"] else "–" for day in daily
        ]
    for name, trend in answer["channel_performance_trends"].items():
        text = page.text(f"[data-channel-trend={name}]")
        assert trend["success_rate_trend"] in text.lower() and f"{abs(trend['change_pct'])}%" in text
    assert ("Improving" in page.text("#overall")) == answer["risk_distribution_changes"]["overall_improvement"]


def test_every_chart_is_drawn_and_described(page):
    page.open("#/trends?period=90d", wait=".chart canvas")
    drawn = """return [...document.querySelectorAll('canvas')].map((canvas) => {
        const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
        return new Set(new Uint32Array(data.buffer)).size; })"""
    page.until(lambda: min(page.run(drawn)) > 20)
    assert len(page.all("canvas[role=img]")) == 5
    assert all(page.run("return [...document.querySelectorAll('canvas')].map((each) => each.ariaLabel.length > 30)"))
    # Leaving the view removes its charts.
    page.go("#/", ".risk-cards")
    page.go("#/trends?period=7d", ".chart canvas")
    page.until(lambda: page.run("return Object.keys(Chart.instances).length") == 5)
