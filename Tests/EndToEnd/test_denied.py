"""Well-formed tokens that are refused: another audience, too long a lifetime, a denied user."""

import os
import signal
import subprocess
import time

import pytest

from asking import dashboard, eventually, token_headers
from problems import must_be_problem
from stack import ROOT, clean_environment


def status(server, stack, **claims):
    return server.get(dashboard("o"), token_headers(stack, "o", **claims)).status


def test_a_token_for_another_audience_is_401_unless_the_audience_is_ours(server_with, stack):
    ours, nobodys = server_with(CLERK_AUDIENCE="https://api.example, mobile"), server_with()
    for audience in ("mobile", ["mobile"], ["x", "https://api.example"]):
        assert status(ours, stack, aud=audience) == 200 and status(nobodys, stack, aud=audience) == 401
    for audience in ("x", "", [], ["x"], "MOBILE", "mobile ", 1, {"mobile": 1}, ["mobile", 1], [["mobile"]], True):
        assert status(ours, stack, aud=audience) == 401, audience
    assert status(ours, stack) == status(nobodys, stack) == status(ours, stack, aud=None) == 200
    refused = must_be_problem(nobodys.get(dashboard("o"), token_headers(stack, "o", aud="x")), 401)
    assert "audience" in refused["detail"]


def test_a_token_with_too_long_a_lifetime_is_401(server_with, stack):
    usual, short, any_at_all = (server_with(**changes)
                                for changes in ({}, {"TOKEN_MAX_LIFETIME": "600"}, {"TOKEN_MAX_LIFETIME": "0"}))
    now = int(time.time())
    for ahead, passes in ((500, (200, 200, 200)), (3600, (200, 401, 200)), (86400, (200, 401, 200)),
                          (90000, (401, 401, 200)),
                          (100 * 365 * 86400, (401, 401, 200))):
        assert tuple(status(server, stack, exp=now + ahead) for server in (usual, short, any_at_all)) == passes, ahead


def replaced(path, text):
    path.with_suffix(".new").write_text(text)
    os.replace(path.with_suffix(".new"), path)


def linked_elsewhere(path, text):
    target = path.with_name(f"denied.{time.monotonic_ns()}")
    target.write_text(text)
    path.with_suffix(".link").symlink_to(target.name)
    os.replace(path.with_suffix(".link"), path)


def mounted_again(path, text):
    """Replaces the file as Kubernetes does for a secret: the link to its folder points to another folder, in a sticky
    folder that all may write to."""
    path.parent.chmod(0o1777)
    version = path.with_name(f"..{time.monotonic_ns()}")
    version.mkdir()
    (version / path.name).write_text(text)
    path.with_name("..tmp").symlink_to(version.name)
    os.replace(path.with_name("..tmp"), path.with_name("..data"))
    if not path.is_symlink():
        path.unlink()
        path.symlink_to(f"..data/{path.name}")


def written_in_place(path, text):
    path.write_text(text)


@pytest.mark.nightly(after=2)
@pytest.mark.parametrize("change", [replaced, linked_elsewhere, mounted_again, written_in_place])
@pytest.mark.parametrize("name", ["user_test", "sess_test"])
def test_a_denied_user_is_refused_despite_the_cache_until_taken_off_the_list(server_with, stack, folder, change, name):
    path = folder / "denied"
    path.write_text("# left\r\nuser_other\r\n")
    server = server_with(TOKEN_DENY_FILE=str(path))
    headers, colleague = token_headers(stack, "o"), token_headers(stack, "o", sub="user_colleague",
                                                                  sid="sess_colleague")
    for _ in range(2):
        assert server.get(dashboard("o"), headers).status == server.get(dashboard("o"), colleague).status == 200
    assert status(server, stack, sub="user_other", sid="sess_other") == 401
    change(path, f"user_other\n\n  {name}\t# told on the phone\n")
    eventually(lambda: server.get(dashboard("o"), headers).status == 401)
    must_be_problem(server.get(dashboard("o"), headers), 401)
    assert server.get(dashboard("o"), colleague).status == 200
    change(path, "user_other\n")
    eventually(lambda: server.get(dashboard("o"), headers).status == 200)


def test_a_missing_list_stays_in_force_and_is_counted(server_with, stack, folder):
    path = folder / "denied"
    path.write_text("user_test\n")
    server = server_with(TOKEN_DENY_FILE=str(path))
    metric = lambda name: float(next(line for line in server.get("/metrics").body.decode().splitlines()
                                     if line.startswith(name + " ")).split()[1])
    assert status(server, stack) == 401 and metric("reengagement_deny_file_failures_total") == 0
    path.unlink()
    eventually(lambda: metric("reengagement_deny_file_failures_total") >= 2)
    assert status(server, stack) == 401 and metric("reengagement_denied_names") == 1
    assert metric("reengagement_deny_file_age_seconds") > 0
    assert len(server.logged("TOKEN_DENY_FILE cannot be read; the last list stays in force")) == 1
    path.write_text("user_else\n")
    eventually(lambda: status(server, stack) == 200)
    before = len(server.logged("denied subjects and sessions in force"))
    server.process.send_signal(signal.SIGHUP)
    eventually(lambda: len(server.log_lines("denied subjects and sessions in force")) > before)


def test_a_development_token_lives_no_longer_than_the_server_allows(stack):
    def token(**environment):
        return subprocess.run([ROOT / "scripts/token"],
                              env=clean_environment(STACK_DIR=str(stack.directory), **environment),
                              capture_output=True, text=True)

    long = token(TOKEN_TTL="86401")
    assert long.returncode != 0 and "TOKEN_TTL" in long.stderr and "86400" in long.stderr
    assert token(TOKEN_TTL="86400").returncode == token(TOKEN_TTL="90000", TOKEN_MAX_LIFETIME="0").returncode == 0
    assert token(TOKEN_TTL="601", TOKEN_MAX_LIFETIME="600").returncode != 0
    made = token(TOKEN_MAX_LIFETIME="600")
    assert made.returncode == 0
    assert stack.client.request("GET", dashboard("org_demo_1"),
                                {"Authorization": f"Bearer {made.stdout.strip()}"}).status == 200
