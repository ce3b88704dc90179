"""Runs the lines of docs/operating.md that encrypt a backup for a recipient's key."""

import re
import shutil
import stat
import subprocess

import pytest

from stack import ROOT, clean_environment

DOCUMENT = (ROOT / "docs/operating.md").read_text()
WHERE = "/var/backups/reengagement"

pytestmark = pytest.mark.skipif(not shutil.which("age"), reason="age is not installed")


def block(holding):
    found, = [text for text in re.findall(r"```sh\n(.*?)```", DOCUMENT, re.DOTALL) if holding in text]
    return found


@pytest.fixture
def key(folder):
    made = folder / "backup.key"
    done = subprocess.run(["age-keygen", "-o", made], capture_output=True, text=True, check=True)
    return made, re.search(r"age1\w+", done.stderr)[0]


def back_up(folder, recipient, url):
    (folder / "backups").mkdir(exist_ok=True)
    script = block("age --encrypt").replace(WHERE, str(folder / "backups"))
    environment = clean_environment(DATABASE_URL=url, BACKUP_RECIPIENT=recipient)
    return subprocess.run(["bash", "-e", "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True)


def test_a_dump_is_readable_for_its_recipient_alone_and_complete(stack, clinic, key, folder):
    identity, recipient = key
    assert stack.api.post(clinic, {"patient_id": "patient_123", "method": "sms", "outcome": "failed",
                                   "notes": "a secret note"}).status == 201
    done = back_up(folder, recipient, stack.settings["DATABASE_URL"])
    assert done.returncode == 0, done.stderr
    file, = (folder / "backups").iterdir()
    assert file.name.endswith(".dump.age") and stat.S_IMODE(file.stat().st_mode) == 0o600
    assert b"PGDMP" not in file.read_bytes() and file.read_bytes().startswith(b"age-encryption.org/v1")
    script = block("age --decrypt").replace("FILE.dump.age", str(file))
    subprocess.run(["bash", "-e", "-c", script], cwd=folder, check=True)
    dump = folder / "reengagement.dump"
    assert stat.S_IMODE(dump.stat().st_mode) == 0o600
    restored = subprocess.run(["pg_restore", "--data-only", "--table=outreach_log", "-f", "-", dump],
                              capture_output=True, text=True, check=True)
    assert "a secret note" in restored.stdout


def test_a_failed_dump_leaves_no_file(key, folder):
    done = back_up(folder, key[1], f"host={folder} dbname=nowhere")
    assert done.returncode != 0
    assert not [file for file in (folder / "backups").iterdir() if file.name.endswith(".dump.age")]


def test_another_key_opens_nothing(stack, key, folder):
    assert back_up(folder, key[1], stack.settings["DATABASE_URL"]).returncode == 0
    file, = (folder / "backups").iterdir()
    subprocess.run(["age-keygen", "-o", folder / "other.key"], capture_output=True, check=True)
    assert subprocess.run(["age", "--decrypt", "--identity", folder / "other.key", file],
                          capture_output=True).returncode != 0
