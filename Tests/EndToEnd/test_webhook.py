"""The webhook: what a receiver gets, and when."""

import pytest

import sender as senders
from asking import eventually
from sender import Keys, Receiver, Sender


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
