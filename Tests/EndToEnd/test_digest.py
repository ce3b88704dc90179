"""The digest by e-mail: to whom, when, and how often."""

import email
import email.policy
import signal
import threading
import time

import pytest

import sender as senders
from asking import eventually
from conftest import load_clinic
from sender import Sender, closed_port
from stack import connect, run_sql

TO = ["reception@clinic.example", "owner@clinic.example"]
WEEK = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


@pytest.fixture(scope="module", autouse=True)
def packages():
    senders.packages()


@pytest.fixture(scope="module")
def database_url(stack, database):
    """A database whose clock the tests set."""
    with database.cursor() as cursor:
        cursor.execute("CREATE DATABASE digests TEMPLATE template0 ENCODING 'UTF8'")
    url = stack.database_url("digests")
    run_sql("migrate", url)
    yield url
    with database.cursor() as cursor:
        cursor.execute("DROP DATABASE digests WITH (FORCE)")


class Relay:
    """A mail relay. `rcpt` gives the reply to a recipient, `data` the one to the message; None closes the connection."""

    def __init__(self, rcpt=None, data="250 OK", pause=0):
        from aiosmtpd.controller import Controller

        self.messages, self.attempts, self.rcpt, self.data, self.pause = [], 0, rcpt or (lambda _: "250 OK"), data, pause
        self.hanging = threading.Event()
        self.controller = Controller(self, hostname="127.0.0.1", port=closed_port())
        self.controller.start()
        self.url = f"smtp://127.0.0.1:{self.controller.port}"

    async def handle_EHLO(self, _server, session, _envelope, hostname):
        self.attempts += 1
        session.host_name = hostname
        return "250 HELP"

    async def handle_RCPT(self, _server, _session, envelope, address, _options):
        reply = self.rcpt(address)
        if reply.startswith("250"):
            envelope.rcpt_tos.append(address)
        return reply

    async def handle_DATA(self, server, _session, envelope):
        import asyncio

        if self.pause:
            self.hanging.set()
            await asyncio.sleep(self.pause)
        if self.data is None:
            self.messages.append(Message(envelope))
            server.transport.abort()
            return "250 lost"
        if self.data.startswith("250"):
            self.messages.append(Message(envelope))
        return self.data

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.controller.stop()


class Message:

    def __init__(self, envelope=None, raw=None):
        self.recipients = envelope and sorted(envelope.rcpt_tos)
        self.sender = envelope and envelope.mail_from
        self.raw = envelope.content if envelope else raw
        self.parsed = email.message_from_bytes(self.raw, policy=email.policy.default)
        self.text, self.html = (part.get_content() for part in self.parsed.iter_parts())

    def __getitem__(self, header):
        return self.parsed[header]

    @property
    def numbers(self):
        """New, open and critical."""
        return [int(line.rpartition(": ")[2]) for line in self.text.splitlines() if line.rpartition(": ")[2].isdigit()]


class Clinics:

    def __init__(self, url):
        self.url, self.connection = url, connect(url)

    def run(self, statement, *values):
        with self.connection.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    def add(self, organization, at="07:30", days=WEEK, to=TO, set_at="2025-01-01T00:00:00Z", zone="UTC"):
        load_clinic(self.connection, organization)
        self.run("UPDATE organizations SET time_zone = %s WHERE id = %s", zone, organization)
        self.run("""INSERT INTO re.setting (organization_id, digest, digest_set_at, updated_by, updated_at)
            VALUES (%s, jsonb_build_object('to', %s, 'at', %s, 'days', %s), %s, 'user_1', now())""",
                 organization, to, at, days, set_at)
        self.run("SELECT set_config('reengagement.organization', %s, false), re.advance(%s, 1000)", organization,
                 organization)
        return organization

    def at(self, now):
        """Sets the time of the sessions that begin from here on."""
        self.run(f"ALTER DATABASE digests SET reengagement.now = '{now}'")

    def result(self, organization):
        rows = self.run("SELECT result FROM re.digest_sent WHERE organization_id = %s ORDER BY day DESC LIMIT 1",
                        organization)
        return rows[0][0] if rows else "none"

    def retry_now(self):
        self.run("UPDATE re.digest_sent SET retry_at = clock_timestamp() WHERE result = 'retry'")


@pytest.fixture
def clinics(database_url):
    made = Clinics(database_url)
    made.at("2025-06-30T08:00:00Z")
    yield made
    for table in ("setting", "digest_sent"):
        made.run(f"DELETE FROM re.{table}")
    made.connection.close()


@pytest.fixture
def start(stack, folder, database_url):
    started = []

    def start(relay=None, **environment):
        own = folder / f"sender{len(started)}"
        own.mkdir()
        mail = {"SMTP_URL": getattr(relay, "url", relay), "SMTP_FROM": "alerts@example.com"}
        started.append(Sender(stack, own, DATABASE_URL=database_url, **{**mail, **environment}))
        return started[-1].start()

    yield start
    for sender in started:
        sender.stop()


def settled(clinics, organization, result):
    return eventually(lambda: clinics.result(organization) == result)


def test_one_message_goes_to_all_recipients_by_the_rows_of_now(clinics, start, fresh_id):
    organization = clinics.add(fresh_id("digest"))
    clinics.run("UPDATE re.setting SET sending = '{\"clinic_name\": \"Büro <b>& Co\"}'")
    with Relay() as relay:
        start(relay, PUBLIC_URL="https://api.example.com")
        start(relay, PUBLIC_URL="https://api.example.com")
        settled(clinics, organization, "sent")
        time.sleep(5)
        message, = relay.messages
    assert message.recipients == sorted(TO) and message.sender == "alerts@example.com"
    assert message["From"] == "alerts@example.com" and message["To"] == ", ".join(TO)
    assert message["Auto-Submitted"] == "auto-generated" and message["MIME-Version"] == "1.0"
    assert message["Message-ID"].endswith("@example.com>") and message["Date"].datetime
    with clinics.connection.cursor() as cursor:
        cursor.execute("SET reengagement.now = '2025-06-30T08:00:00Z'")
        expected = clinics.run("""SELECT count(*) FILTER (WHERE critical_since = '2025-06-30'),
                count(*) FILTER (WHERE critical_since > '2025-06-23'), count(*)
            FROM patient_reengagement_master_view
            WHERE organization_id = %s AND critical_since IS NOT NULL""", organization)[0]
    assert tuple(message.numbers) == expected
    assert message["Subject"].startswith(f"{expected[0]} new critical patient")
    assert "https://api.example.com" in message.text and 'href="https://api.example.com"' in message.html
    assert "Büro <b>& Co" in message.text and "Büro &lt;b&gt;&amp; Co" in message.html
    for (name, ) in clinics.run("SELECT name FROM patients WHERE organization_id = %s", organization):
        assert name not in message.text + message.html
    assert organization not in message.text


def test_new_are_those_since_the_day_of_the_last_digest_sent(clinics, start, fresh_id):
    organization = clinics.add(fresh_id("digest"))
    for number, day in enumerate(("06-27", "06-28", "06-29", "06-30", "06-30")):
        clinics.run("INSERT INTO patients (organization_id, id, name, created_at) "
                    "VALUES (%s, %s, 'New One', %s::timestamptz - interval '45 days')",
                    organization, f"new_{number}", f"2025-{day}T03:00:00Z")
    old = clinics.run("SELECT count(*) FROM patient_reengagement_master_view WHERE organization_id = %s "
                      "AND patient_id LIKE 'new%%'", organization)
    assert old
    clinics.run("INSERT INTO re.digest_sent (organization_id, day, claimed_at, result) VALUES "
                "(%s, '2025-06-27', now(), 'sent'), (%s, '2025-06-28', now(), 'refused'), (%s, '2025-06-29', now(), 'lost')",
                organization, organization, organization)
    with Relay() as relay:
        start(relay)
        settled(clinics, organization, "sent")
    new = relay.messages[0].numbers[0]
    with clinics.connection.cursor() as cursor:
        cursor.execute("SET reengagement.now = '2025-06-30T08:00:00Z'")
        expected, = clinics.run("""SELECT count(*) FROM patient_reengagement_master_view
            WHERE organization_id = %s AND critical_since > '2025-06-27'""", organization)[0]
    assert new == expected >= 4


TIMES = [("06:59", "2025-06-30T06:30:00Z", "none"), ("07:00", "2025-06-30T07:00:00Z", "sent"),
         ("07:00", "2025-06-30T10:59:00Z", "sent"), ("07:00", "2025-06-30T11:00:00Z", "none"),
         ("23:30", "2025-06-30T01:00:00Z", "sent")]


@pytest.mark.parametrize("at, now, result", TIMES)
def test_it_is_sent_from_its_time_on_for_four_hours(clinics, start, fresh_id, at, now, result):
    organization, other = clinics.add(fresh_id("digest"), at=at), clinics.add(fresh_id("marker"), at="00:00", days=WEEK)
    clinics.run("UPDATE re.setting SET digest = jsonb_set(digest, '{at}', to_jsonb(to_char("
                "%s::timestamptz AT TIME ZONE 'UTC', 'HH24:MI'))) WHERE organization_id = %s", now, other)
    clinics.at(now)
    with Relay() as relay:
        start(relay)
        # A digest of this very minute shows that the sender has looked.
        settled(clinics, other, "sent")
        time.sleep(3)
        assert clinics.result(organization) == result


def test_other_days_and_an_hour_that_was_past_when_it_was_set_have_none(clinics, start, fresh_id):
    sunday = clinics.add(fresh_id("sunday"), days=["sun"])
    late = clinics.add(fresh_id("late"), set_at="2025-06-30T07:30:01Z")
    in_time = clinics.add(fresh_id("early"), set_at="2025-06-30T07:29:59Z", days=["mon"])
    # 08:00 UTC is 18:00 in Sydney.
    sydney = clinics.add(fresh_id("sydney"), at="17:30", zone="Australia/Sydney")
    with Relay() as relay:
        start(relay)
        settled(clinics, in_time, "sent")
        settled(clinics, sydney, "sent")
        time.sleep(3)
        assert clinics.result(sunday) == "none" and clinics.result(late) == "none"
        assert len(relay.messages) == 2


def test_a_recipient_refused_for_good_is_left_out(clinics, start, fresh_id):
    organization = clinics.add(fresh_id("digest"), to=["gone@clinic.example", *TO])
    with Relay(rcpt=lambda address: "550 no such user" if "gone" in address else "250 OK") as relay:
        start(relay)
        settled(clinics, organization, "sent")
        assert [message.recipients for message in relay.messages] == [sorted(TO)]
    assert clinics.run("SELECT refused FROM re.digest_sent")[0][0] == ["gone@clinic.example"]


@pytest.mark.parametrize("rcpt, data", [("550 no", "250 OK"), ("250 OK", "554 spam")])
def test_a_refusal_for_all_ends_the_days_digest(clinics, start, fresh_id, rcpt, data):
    organization = clinics.add(fresh_id("digest"))
    with Relay(rcpt=lambda _: rcpt, data=data) as relay:
        start(relay)
        settled(clinics, organization, "refused")
        attempts = relay.attempts
        time.sleep(5)
        assert not relay.messages and relay.attempts == attempts


def test_a_greylisted_message_goes_to_all_at_the_next_attempt(clinics, start, fresh_id):
    organization = clinics.add(fresh_id("digest"))
    replies = {"owner@clinic.example": ["451 later"]}
    with Relay(rcpt=lambda address: (replies.get(address) or ["250 OK"]).pop(0)) as relay:
        start(relay)
        settled(clinics, organization, "retry")
        assert not relay.messages, "a part of the recipients got it"
        clinics.retry_now()
        settled(clinics, organization, "sent")
        assert [message.recipients for message in relay.messages] == [sorted(TO)]


def test_it_is_tried_again_for_four_hours_with_the_same_id(clinics, start, fresh_id):
    organization = clinics.add(fresh_id("digest"))
    port = closed_port()
    sender = start(f"smtp://127.0.0.1:{port}")
    settled(clinics, organization, "retry")
    sender.stop()
    with Relay(data="452 full") as relay:
        sender = start(relay)
        clinics.retry_now()
        eventually(lambda: relay.attempts and clinics.result(organization) == "retry")
        ids = {row[0] for row in clinics.run("SELECT attempts FROM re.digest_sent")}
        assert ids == {2}
        sender.stop()
        # Four hours after its time it is too late.
        clinics.at("2025-06-30T11:30:00Z")
        relay.data = "250 OK"
        clinics.retry_now()
        start(relay)
        time.sleep(6)
        assert not relay.messages and clinics.result(organization) == "retry"
        clinics.run("UPDATE re.digest_sent SET claimed_at = claimed_at - interval '6 hours'")
        settled(clinics, organization, "expired")


def test_the_last_attempt_goes_without_those_who_cannot_take_it_now(clinics, start, fresh_id):
    organization = clinics.add(fresh_id("digest"))
    clinics.at("2025-06-30T11:29:30Z")
    with Relay(rcpt=lambda address: "452 full" if "owner" in address else "250 OK") as relay:
        start(relay)
        settled(clinics, organization, "sent")
        assert [message.recipients for message in relay.messages] == [["reception@clinic.example"]]


def test_an_answer_lost_after_the_end_counts_as_sent(clinics, start, fresh_id):
    organization = clinics.add(fresh_id("digest"))
    with Relay(data=None) as relay:
        start(relay)
        settled(clinics, organization, "unknown")
        time.sleep(5)
        assert len(relay.messages) == 1


def test_a_sender_that_dies_after_the_claim_ends_the_days_digest(clinics, start, fresh_id):
    organization = clinics.add(fresh_id("digest"))
    with Relay(pause=60) as relay:
        sender = start(relay)
        assert relay.hanging.wait(60)
        sender.stop(signal.SIGKILL)
        relay.pause = 0
        attempts = relay.attempts
        start(relay)
        time.sleep(6)
        assert relay.attempts == attempts and clinics.result(organization) is None


def test_a_stop_ends_within_ten_seconds_and_the_message_may_have_been_taken(clinics, start, fresh_id):
    organization = clinics.add(fresh_id("digest"))
    with Relay(pause=60) as relay:
        sender = start(relay)
        assert relay.hanging.wait(60)
        begin = time.monotonic()
        assert sender.stop() == 0
        assert time.monotonic() - begin < 10.5
        assert clinics.result(organization) == "unknown"


def test_an_outbox_gets_a_file_and_without_a_relay_nothing_is_sent(clinics, start, fresh_id, folder):
    organization = clinics.add(fresh_id("digest"))
    without = start(None, SMTP_FROM=None)
    time.sleep(4)
    assert clinics.result(organization) == "none"
    assert without.log_lines("SMTP_URL is not set")
    start(f"outbox:{folder}/outbox")
    settled(clinics, organization, "sent")
    file, = (folder / "outbox").glob("*.eml")
    message = Message(raw=file.read_bytes())
    assert message["To"] == ", ".join(TO) and "Dashboard" not in message.text
    assert file.stat().st_mode & 0o077 == 0


def test_the_login_is_sent_and_no_address_or_password_is_logged(clinics, start, fresh_id, folder):
    from aiosmtpd.controller import Controller
    from aiosmtpd.smtp import AuthResult

    organization = clinics.add(fresh_id("digest"))
    (folder / "password").write_text("correct horse\n")
    seen = []

    def authenticate(_server, _session, _envelope, _mechanism, data):
        seen.append((data.login, data.password))
        return AuthResult(success=True)

    class Taking:
        async def handle_DATA(self, *_):
            return "250 OK"

    controller = Controller(Taking(), hostname="127.0.0.1", port=closed_port(), authenticator=authenticate,
                            auth_required=True, auth_require_tls=False)
    controller.start()
    try:
        sender = start(f"smtp://127.0.0.1:{controller.port}", SMTP_USERNAME="user@relay",
                       SMTP_PASSWORD_FILE=str(folder / "password"), LOG_LEVEL="trace")
        settled(clinics, organization, "sent")
        sender.stop()
    finally:
        controller.stop()
    assert seen == [(b"user@relay", b"correct horse")]
    text = sender.log.read_text()
    assert "clinic.example" not in text and "correct horse" not in text and "user@relay" not in text


def test_a_relay_on_another_machine_must_offer_tls(clinics, start, fresh_id):
    """The name leads to this machine, which only a relay that may lack TLS would have to."""
    organization = clinics.add(fresh_id("digest"))
    with Relay() as relay:
        # 127.0.0.1 in IPv4-compatible notation of a name that is not localhost.
        start(relay.url.replace("127.0.0.1", senders.other_name()))
        settled(clinics, organization, "retry")
        assert not relay.messages
