"""One stack with demo data and one Chromium for the session. Each test has a new page."""

import functools
import http.server
import os
import subprocess
import threading
import uuid
from pathlib import Path

import pytest

from browser import Page, chromium
from stack import ORIGINS, ROOT, Stack


class Files(http.server.SimpleHTTPRequestHandler):
    """Serves the guide, its harness and a blank page from another origin."""

    extensions_map = {".mjs": "text/javascript", ".md": "text/plain", ".html": "text/html"}

    def do_GET(self):
        if self.path != "/blank.html":
            return super().do_GET()
        text = b"<!doctype html><title>Elsewhere</title><link rel=icon href=data:,>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def translate_path(self, path):
        return (
            str(ROOT / "docs/integration-guide.md") if path == "/integration-guide.md" else super().translate_path(path)
        )

    def log_message(self, *_):
        pass


@pytest.fixture(scope="session")
def guide_origin():
    """A page of another origin, which the stack allows."""
    handler = functools.partial(Files, directory=Path(__file__).parent / "guide")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="session")
def stack(directory, guide_origin):
    origins = ",".join((*ORIGINS, guide_origin))
    with Stack(directory / "main", STACK_DEMO="1", CORS_ALLOWED_ORIGINS=origins).started() as made:
        yield made


@pytest.fixture(scope="session")
def driver(directory):
    made = chromium(directory / "profile")
    # Checking a whole page takes long on a busy machine.
    made.set_script_timeout(300)
    yield made
    made.quit()


@pytest.fixture(scope="session")
def axe():
    """The axe script, from its package on PyPI."""
    python = subprocess.run([ROOT / "scripts/venv", Path(__file__).parent / "requirements.txt", "--no-deps"],
                            stdout=subprocess.PIPE,
                            text=True,
                            check=True,
                            env={**os.environ, "TMPDIR": "/tmp"}).stdout.strip()
    return next(Path(python).parents[1].glob("lib/python3*/site-packages/axe_playwright_python/axe.min.js")).read_text()


@pytest.fixture
def page(stack, driver):
    made = Page(driver, f"http://localhost:{stack.settings['HTTP_PORT']}")
    yield made
    try:
        made.must_be_clean()
    finally:
        made.close()


@pytest.fixture(scope="session")
def api(stack):
    return stack.api


@pytest.fixture
def database(stack):
    connection = stack.connect()
    yield connection
    connection.close()


@pytest.fixture
def clinic(database):
    """An organization for one test, by default with three patients who need contact."""
    organization = f"clinic_{uuid.uuid4().hex[:8]}"
    with database.cursor() as cursor:
        cursor.execute("INSERT INTO organizations (id, name) VALUES (%s, 'A clinic')", (organization, ))
    return Clinic(database, organization)


@pytest.fixture
def desk(page, api, clinic):
    """One browser and two users of one clinic."""
    clinic.add("ann", "Ann Archer", days=100).add("bob", "Bob Baker", days=60)
    page.allowed = ["401 (Unauthorized)"]
    page.anna, page.ben = (api.signer.token(clinic.id, sub=sub) for sub in ("user_anna", "user_ben"))
    page.expired = api.signer.token(clinic.id, sub="user_anna", exp=1, iat=0, nbf=0)
    return page


class Clinic:

    def __init__(self, database, organization):
        self.database, self.id = database, organization

    def add(self, patient, name, days=60, phone="+61491570006", email="p@example.org", notes=None):
        """Adds a patient with one visit, `days` ago."""
        with self.database.cursor() as cursor:
            cursor.execute(
                "INSERT INTO patients (organization_id, id, name, phone, email, treatment_notes, created_at) "
                "VALUES (%s, %s, %s, %s, %s, %s, now() - interval '400 days')",
                (self.id, patient, name, phone, email, notes))
            cursor.execute(
                "INSERT INTO appointments (organization_id, id, patient_id, starts_at, status, created_at) "
                "VALUES (%s, %s, %s, now() - make_interval(days => %s), 'completed', now() - interval '399 days')",
                (self.id, f"visit_{patient}", patient, days))
        return self

    def logged(self):
        with self.database.cursor() as cursor:
            cursor.execute(
                "SELECT patient_id, method, outcome, opened, notes FROM outreach_log WHERE organization_id = %s "
                "ORDER BY created_at, id", (self.id, ))
            return cursor.fetchall()
