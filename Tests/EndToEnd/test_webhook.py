"""The webhook: what a receiver gets, and when."""

import json
import signal
import time
from pathlib import Path

import pytest

import sender as senders
from asking import eventually
from problems import must_be_answer
from sender import Keys, Receiver, Sender, closed_port


@pytest.fixture(scope="module")
def webhooks():
    senders.packages()
    import standardwebhooks
    return standardwebhooks


@pytest.fixture
def keys(folder):
    return Keys(folder / "keys")


@pytest.fixture
def start(stack, folder, keys):
    """Starts a sender with other variables. All senders are stopped at the end."""
    started = []

    def start(**environment):
        own = folder / f"sender{len(started)}"
        own.mkdir()
        started.append(Sender(stack, own, keys, **environment))
        return started[-1].start()

    yield start
    for sender in started:
        sender.stop()


class Clinic:
    """An organization with a webhook, whose notices a test makes."""

    def __init__(self, database, organization):
        self.database, self.organization, self.patients = database, organization, 0
        eventually(lambda: self.value("SELECT NOT is_first_build FROM re.announcement WHERE organization_id = %s"))

    def value(self, statement):
        with self.database.cursor() as cursor:
            cursor.execute(statement, (self.organization, ))
            row = cursor.fetchone()
        return row and row[0]

    def run(self, statement):
        with self.database.cursor() as cursor:
            cursor.execute(statement, {"organization": self.organization})

    def set_url(self, url):
        with self.database.cursor() as cursor:
            cursor.execute("SELECT result FROM re.put_settings(%s, 'webhook', %s, NULL, NULL, 'user_1', true)",
                           (self.organization, url))
            assert cursor.fetchone()[0] == "stored"
        return self

    def notice(self):
        """Adds a critical patient, which makes a notice. Returns its number."""
        before, self.patients = self.sequence, self.patients + 1
        with self.database.cursor() as cursor:
            cursor.execute("INSERT INTO patients (organization_id, id, name, created_at) VALUES "
                           "(%s, %s, 'Some One', now() - interval '100 days')",
                           (self.organization, f"due_{self.patients}"))
        return eventually(lambda: self.sequence > before and self.sequence)

    @property
    def sequence(self):
        return self.value("SELECT sequence FROM re.announcement WHERE organization_id = %s")

    def state(self, column):
        return self.value(f"SELECT {column} FROM re.webhook WHERE organization_id = %s")

    def retry_now(self):
        self.run("UPDATE re.webhook SET retry_at = clock_timestamp() WHERE organization_id = %(organization)s")

    def end_the_minute(self):
        """As if the last request had been a minute ago."""
        self.run("UPDATE re.webhook SET sent_at = sent_at - interval '60 seconds' "
                 "WHERE organization_id = %(organization)s")


@pytest.fixture
def clinic_with(database, clinic):
    return lambda url: Clinic(database, clinic).set_url(url)


def test_a_new_notice_reaches_the_receiver_signed(webhooks, clinic_with, keys, start):
    with Receiver() as receiver:
        clinic = clinic_with(receiver.url)
        start()
        sequence = clinic.notice()
        received = receiver.wait_for(1)[0]
        assert received.json == {
            "type": "alerts.changed", "timestamp": received.json["timestamp"],
            "data": {"organization_id": clinic.organization, "sequence": sequence, "critical": received.json["data"]["critical"],
                     "new_today": 0, "open": received.json["data"]["open"]}
        }
        webhooks.Webhook(keys.secret(clinic.organization)).verify(received.body, dict(received.headers.items()))
        with pytest.raises(webhooks.WebhookVerificationError):
            webhooks.Webhook(keys.secret(clinic.organization, 2)).verify(received.body, dict(received.headers.items()))
        eventually(lambda: clinic.state("told_sequence") == sequence)
        assert clinic.state("last_status") == 204 and clinic.state("failures") == 0


def test_the_secret_from_the_api_verifies_a_notice_and_a_ping(webhooks, stack, api, database, clinic, start):
    """By the API alone: an administrator names the URL, and asks for a ping."""
    admin = api.authorization(clinic, o={"id": clinic, "rol": "admin"})
    with Receiver() as receiver:
        body = json.dumps({"webhook": {"url": receiver.url}})
        response = api.client.request("PUT", api.target(clinic, "settings"),
                                      {**admin, "Content-Type": "application/json"}, body)
        verifier = webhooks.Webhook(must_be_answer(response, 200).json()["webhook"]["secret"])
        start(SECRETS_KEY_FILE=str(Path(stack.directory) / "secrets/keys"))
        must_be_answer(api.client.request("POST", api.target(clinic, "settings/webhook/test"), admin), 202)
        ping = receiver.wait_for(1)[0]
        verifier.verify(ping.body, dict(ping.headers.items()))
        settings = lambda: must_be_answer(api.client.request("GET", api.target(clinic, "settings"), admin), 200).json()["webhook"]
        assert eventually(lambda: settings()["last_test"])["status"] == 204
        Clinic(database, clinic).notice()
        notice = receiver.wait_for(2)[1]
        verifier.verify(notice.body, dict(notice.headers.items()))
        events = must_be_answer(api.get(clinic, f"alerts/events?after={notice.json['data']['sequence'] - 1}"), 200).json()
        assert [event["patient_id"] for event in events["events"]] == ["due_1"]
        alerts = must_be_answer(api.get(clinic, "alerts"), 200).json()
        assert notice.json["data"] == {"organization_id": clinic, **{
            name: alerts[name] for name in ("sequence", "critical", "new_today", "open")}}
        eventually(lambda: settings()["last_status"] == 204)


def told(clinic, sequence):
    return eventually(lambda: clinic.state("told_sequence") == sequence and clinic.state("leased_until") is None)


def failed(clinic, times):
    return eventually(lambda: clinic.state("failures") == times and clinic.state("leased_until") is None)


def pause(clinic):
    """The seconds from the last failure to the next attempt."""
    return round(float(clinic.state("extract(epoch FROM retry_at - sent_at)")))


def test_a_failed_request_is_repeated_with_the_same_id_until_there_is_news(clinic_with, start):
    with Receiver([500, 503, 302, 204]) as receiver:
        clinic = clinic_with(receiver.url)
        start()
        first = clinic.notice()
        failed(clinic, 1)
        assert pause(clinic) == 5 and clinic.state("last_status") == 500 and clinic.state("failing_since")
        # By itself, after 5 s.
        failed(clinic, 2)
        assert pause(clinic) == 300 and clinic.state("told_sequence") < first
        # News waits for the next attempt, and is in it.
        second = clinic.notice()
        clinic.retry_now()
        failed(clinic, 3)
        assert pause(clinic) == 1800 and clinic.state("last_status") == 302
        clinic.retry_now()
        told(clinic, second)
        assert [r.id.rpartition(":")[2] for r in receiver.received] == [str(n) for n in (first, first, second, second)]
        assert {r.path for r in receiver.received} == {"/hook/secret-path?token=abc"}, "a redirect was followed"
        assert clinic.state("failures") == 0 and clinic.state("failing_since") is None
        assert clinic.state("retry_at") is None and clinic.state("last_status") == 204


def test_the_pauses_grow_to_ten_hours(clinic_with, start):
    with Receiver([500]) as receiver:
        clinic = clinic_with(receiver.url)
        clinic.notice()
        start()
        pauses = []
        for number in range(1, 9):
            failed(clinic, number)
            pauses.append(pause(clinic))
            clinic.retry_now()
        assert pauses == [5, 300, 1800, 7200, 18000, 36000, 36000, 36000]


def test_a_receiver_that_is_gone_hears_nothing_until_a_url_is_named_again(clinic_with, start):
    with Receiver([410, 204]) as receiver:
        clinic = clinic_with(receiver.url)
        start()
        clinic.notice()
        failed(clinic, 1)
        assert clinic.state("is_gone") and clinic.state("last_status") == 410
        clinic.retry_now()
        sequence = clinic.notice()
        time.sleep(3)
        assert len(receiver.received) == 1
        # The same URL: what is left to tell goes out at once.
        clinic.set_url(receiver.url)
        told(clinic, sequence)
        assert clinic.state("failures") == 0 and clinic.state("failing_since") is None


def test_any_number_of_senders_make_one_request_at_a_time_and_one_in_a_minute(clinic_with, start):
    with Receiver(pause=2) as receiver:
        clinic = clinic_with(receiver.url)
        for _ in range(3):
            start()
        told(clinic, clinic.notice())
        last = clinic.notice()
        time.sleep(4)
        assert len(receiver.received) == 1
        clinic.end_the_minute()
        told(clinic, last)
        assert len(receiver.received) == 2 and receiver.most == 1


def test_a_put_of_the_url_tells_at_once_and_the_place_survives_a_restart(clinic_with, start):
    with Receiver() as receiver:
        clinic = clinic_with(receiver.url)
        sender = start()
        told(clinic, clinic.notice())
        last = clinic.notice()
        clinic.set_url(receiver.url)
        told(clinic, last)
        assert sender.stop() == 0
        start()
        clinic.end_the_minute()
        time.sleep(3)
        assert len(receiver.received) == 2
        # Another URL begins at the present number.
        with Receiver() as other:
            clinic.set_url(other.url)
            assert clinic.state("told_sequence") == last
            sequence = clinic.notice()
            told(clinic, sequence)
            assert [r.json["data"]["sequence"] for r in other.received] == [sequence] and len(receiver.received) == 2


def test_a_sender_that_dies_leaves_the_request_to_another(clinic_with, start):
    with Receiver(pause=8) as receiver:
        clinic = clinic_with(receiver.url)
        sender = start()
        sequence = clinic.notice()
        receiver.wait_for(1)
        sender.stop(signal.SIGKILL)
        receiver.pause = 0
        start()
        time.sleep(3)
        assert len(receiver.received) == 1, "the lease was not respected"
        clinic.run("UPDATE re.webhook SET leased_until = clock_timestamp() WHERE organization_id = %(organization)s")
        told(clinic, sequence)
        assert len({r.id for r in receiver.received}) == 1 and len(receiver.received) == 2


def test_both_versions_sign_for_a_day_after_a_rotation_and_each_key_of_the_file(webhooks, clinic_with, start, keys):
    keys.keys.append(b"k" * 32)
    keys.write()
    with Receiver() as receiver:
        clinic = clinic_with(receiver.url)
        with clinic.database.cursor() as cursor:
            cursor.execute("SELECT result, secret_version FROM re.rotate_webhook(%s, 'user_1', true)",
                           (clinic.organization, ))
            assert cursor.fetchone() == ("rotated", 2)
        start()
        clinic.notice()
        both = receiver.wait_for(1)[0]
        assert len(both.headers["webhook-signature"].split()) == 4
        for version in (1, 2):
            for number in (0, 1):
                secret = keys.secret(clinic.organization, version, number)
                webhooks.Webhook(secret).verify(both.body, dict(both.headers.items()))
        told(clinic, clinic.sequence)
        clinic.run("UPDATE re.webhook SET rotated_at = rotated_at - interval '24 hours' "
                   "WHERE organization_id = %(organization)s")
        clinic.end_the_minute()
        clinic.notice()
        later = receiver.wait_for(2)[1]
        assert len(later.headers["webhook-signature"].split()) == 2
        webhooks.Webhook(keys.secret(clinic.organization, 2)).verify(later.body, dict(later.headers.items()))
        with pytest.raises(webhooks.WebhookVerificationError):
            webhooks.Webhook(keys.secret(clinic.organization, 1)).verify(later.body, dict(later.headers.items()))


def test_a_long_answer_ends_the_request_and_its_status_counts(clinic_with, start):
    with Receiver([200], body=b"x" * (64 << 20)) as receiver:
        clinic = clinic_with(receiver.url)
        start()
        told(clinic, clinic.notice())
        assert clinic.state("last_status") == 200


def test_a_slow_receiver_delays_no_other(database, clinic, second_clinic, start):
    with Receiver(pause=12) as slow, Receiver() as quick:
        first, second = Clinic(database, clinic).set_url(slow.url), Clinic(database, second_clinic).set_url(quick.url)
        start()
        first.notice()
        slow.wait_for(1)
        told(second, second.notice())
        assert first.state("leased_until"), "the slow request is over already"
        # An answer after 10 s is none.
        failed(first, 1)
        assert first.state("last_status") is None


PINGS = [("dns", "http://does-not-exist.invalid/"), ("refused", None), ("tls", "tls"), ("status", 500), (None, 204)]


@pytest.mark.parametrize("error, target", PINGS, ids=[str(error) for error, _ in PINGS])
def test_a_ping_reports_its_outcome_and_changes_nothing_else(clinic_with, start, error, target):
    with Receiver([target if isinstance(target, int) else 204]) as receiver:
        url = {"tls": receiver.url.replace("http:", "https:"), None: f"http://127.0.0.1:{closed_port()}/"}.get(
            target, target if isinstance(target, str) else receiver.url)
        clinic = clinic_with(url)
        start()
        columns = "told_sequence, failures, failing_since, last_status, retry_at, is_gone, sent_at, leased_until"
        before = clinic.state(f"row({columns})")
        request_ping(clinic)
        test = eventually(lambda: clinic.state("last_test"))
        assert test == {"at": test["at"], "duration_ms": test["duration_ms"], "error": error,
                        "status": target if isinstance(target, int) else None}
        assert clinic.state(f"row({columns})") == before and clinic.state("test_requested_at") is None
        if isinstance(target, int):
            ping = receiver.received[0]
            assert ping.json == {"type": "ping", "timestamp": ping.json["timestamp"],
                                 "data": {"organization_id": clinic.organization}}
            assert len(ping.id) == 36
            request_ping(clinic)
            assert receiver.wait_for(2)[1].id != ping.id


def request_ping(clinic):
    clinic.run("SELECT re.test_webhook(%(organization)s, 'user_1', true)")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "[::1]"])
def test_only_public_addresses_are_connected_to_unless_allowed(clinic_with, start, host):
    """The check is on the connection, so that a name cannot lead around it. The API refuses the others."""
    with Receiver() as receiver:
        clinic = clinic_with(receiver.url)
        clinic.run(f"UPDATE re.setting SET webhook_url = 'https://{host}:8443/' WHERE organization_id = %(organization)s")
        start(WEBHOOK_ALLOW_PRIVATE="0")
        request_ping(clinic)
        assert eventually(lambda: clinic.state("last_test"))["error"] == "not_public"


def test_a_stop_ends_a_slow_request_within_ten_seconds(clinic_with, start):
    with Receiver(pause=30) as receiver:
        clinic = clinic_with(receiver.url)
        sender = start()
        clinic.notice()
        receiver.wait_for(1)
        begin = time.monotonic()
        assert sender.stop() == 0
        assert time.monotonic() - begin < 10.5
        assert clinic.state("leased_until") is None


def test_the_log_contains_no_path_and_no_secret(clinic_with, start, keys):
    with Receiver([500]) as receiver:
        clinic = clinic_with(receiver.url)
        sender = start(LOG_LEVEL="trace")
        clinic.notice()
        failed(clinic, 1)
        request_ping(clinic)
        eventually(lambda: clinic.state("last_test"))
        sender.stop()
        text = sender.log.read_text()
        assert "a webhook was not delivered" in text and "a ping was not delivered" in text
        assert "secret-path" not in text and "token=abc" not in text and "127.0.0.1" not in text
        assert keys.secret(clinic.organization) not in text


def test_the_server_reports_the_senders_in_its_metrics(stack, clinic_with, start):
    def metric(name):
        return {line.partition(" ")[0]: float(line.rpartition(" ")[2])
                for line in stack.client.request("GET", "/metrics").body.decode().splitlines() if line.startswith(name)}

    with Receiver([500]) as receiver:
        delivered = metric("reengagement_webhook_requests_total").get(
            'reengagement_webhook_requests_total{result="failed"}', 0)
        clinic = clinic_with(receiver.url)
        start()
        clinic.notice()
        failed(clinic, 1)
        eventually(lambda: metric("reengagement_webhooks_failing").get("reengagement_webhooks_failing", 0) >= 1)
        eventually(lambda: metric("reengagement_webhook_lag_seconds")["reengagement_webhook_lag_seconds"] >= 1)
        assert metric("reengagement_senders")["reengagement_senders"] >= 1
        assert metric("reengagement_sender_seen")["reengagement_sender_seen_seconds"] < 60
        eventually(lambda: metric("reengagement_webhook_requests_total")[
            'reengagement_webhook_requests_total{result="failed"}'] > delivered)
