"""No password is in the arguments of a program, which every user of a machine can read."""

import os
import re
import stat
import subprocess
from pathlib import Path

import pytest

from asking import eventually
from stack import ROOT, clean_environment, connect
from test_readiness import migrate

# Each command waits for a table that the test has locked.
WAITING = {
    "migrate": ["sql/migrate"], "demo": ["sql/demo"], "verify": ["sql/verify"], "rebuild": ["sql/rebuild"],
    "a program of PostgreSQL's": ["sql/client", "pg_dump", "--schema-only", "-f", "/dev/null"],
    "make migrate": ["scripts/stack", "migrate"], "make demo": ["scripts/stack", "demo"],
    "make verify": ["scripts/stack", "verify"], "make rebuild": ["scripts/stack", "rebuild"],
    "the container": ["deploy/prepare"],
}
FORMS = ("{0}&password={1}", "{0}&sslmode=disable&pass%77ord={1}", "postgresql://postgres:{1}@/{2}?host={3}&port={4}",
         "host={3} port={4} user=postgres dbname={2} password='{1}'",
         "password = {1} host={3} port={4} user=postgres dbname={2}")


def arguments():
    """Yields the arguments of every process."""
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield process.read_bytes()
        except OSError:
            continue


def forms(url, secret):
    name, host, port = re.match(r"postgresql:///(\w+)\?host=([^&]+)&port=(\d+)", url).groups()
    return [form.format(url, secret, name, host, port) for form in FORMS]


@pytest.mark.nightly(after=1)
@pytest.mark.parametrize("title", WAITING)
def test_no_password_is_visible_while_a_command_runs(stack, folder, own_database, fresh_id, title):
    """The test searches all processes while the database blocks the command, and records how each psql was started."""
    migrate(own_database)
    secret, seen = fresh_id("secret"), folder / "arguments"
    shims = folder / "shims"
    shims.mkdir()
    for program in ("psql", "pg_dump"):
        shim = shims / program
        real = subprocess.run(["which", program], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
        shim.write_text(f'#!/bin/sh\nprintf "%s\\n" "{program} $*" >>{seen}\nexec {real} "$@"\n')
        shim.chmod(shim.stat().st_mode | stat.S_IXUSR)
    for url in forms(own_database, secret):
        holder, watcher = connect(own_database), connect(own_database)
        holder.autocommit = False
        with holder.cursor() as held, watcher.cursor() as cursor:
            held.execute(
                "LOCK TABLE re.migration, organizations, patients, re.organization_state IN ACCESS EXCLUSIVE MODE"
            )
            process = subprocess.Popen(
                WAITING[title], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                text=True,
                env=clean_environment(DATABASE_URL=url, SERVER_PASSWORD=secret, STACK_DIR=str(folder / "stack"),
                                      PATH=f"{shims}:{os.environ['PATH']}", PATIENTS="0", ORGANIZATIONS="1"))

            def waits():
                assert process.poll() is None, process.stdout.read()
                cursor.execute(
                    "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
                )
                return cursor.rowcount > 0

            eventually(waits, seconds=60)
            assert not [line for line in arguments() if secret.encode() in line], url
            holder.rollback()
        holder.close()
        watcher.close()
        output = process.communicate(timeout=120)[0]
        assert secret not in output and secret not in seen.read_text(), output
        # A database without clinics has nothing to verify.
        assert process.returncode == 0 or "nothing was compared" in output, output


def test_no_documented_command_has_a_connection_string_in_its_arguments():
    for page in [ROOT / "README.md", *ROOT.glob("docs/*.md")]:
        for line in page.read_text().splitlines():
            assert not re.search(r"(psql|pg_dump|pg_restore|pg_basebackup)\b[^`]*\$\{?\w*URL",
                                 line) or "does not" in line, (page, line)


@pytest.mark.parametrize("url", ["host=h password=a sslpassword={}", "postgresql://u@h/d?sslpassword={}"])
def test_a_password_in_an_unsupported_place_is_refused(fresh_id, url):
    secret = fresh_id("secret")
    done = subprocess.run([ROOT / "sql/client", "psql"], env=clean_environment(DATABASE_URL=url.format(secret)),
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
    assert done.returncode == 1 and "sslpassword" in done.stdout and secret not in done.stdout


@pytest.mark.parametrize("url", [
    # libpq reads these differently, or refuses them after they have been visible.
    "postgresql://u:p/{}@h/d", "postgresql://u:1/{}?s@h/d", "postgresql://u:p/a?{}=x@h/d",
    "postgresql://?password=a@{}",
    "postgresql://u:a%00b%00{}@h/d", "postgresql://u:%zz{}@h/d", "postgresql://u@h/d?password={}=x",
    "postgresql://u@h/d?password={}&&a=b",
    "host=h password='{}", "host=h password {}", "host=h oauth_client_secret={}", "host=h scram_client_key={}",
    "dbname='postgresql://u:{}@h/d'",
    # URLs of other programs.
    "postgresql+psycopg2://u:{}@h/d", "jdbc:postgresql://h/d?user=u&password={}", "Host=h;Password={};Database=d",
    "host=h;password={}",
    "host=h Password={}", "host=h pass={}", "Postgres://u:{}@h/d", "u:{}@h/d", "postgresql://h/d;password={}",
])
def test_a_possible_password_in_another_place_starts_no_program(folder, fresh_id, url):
    secret = fresh_id("secret")
    status, output, errors = with_another_psql(folder, url.format(secret))
    assert (status, output) == (1, ""), output + errors
    assert errors.startswith("client: DATABASE_URL ") and errors.count("\n") == 1, output + errors
    assert secret not in errors


@pytest.mark.parametrize("url, password, rest", [
    ("password='{}'host=h", "{}", "host='h' "), ("password={}\\", "{}", ""),
    ("password = {}\\ b host=h", "{} b", "host='h' "),
    ("host=h password='a\\'{}' dbname='b\\\\c'", "a'{}", "host='h' dbname='b\\\\c' "),
    ("password= {} host=h", "{}", "host='h' "),
    ("postgresql://u:{}?%40@h/d", "{}?@", "postgresql://u@h/d"), ("postgresql://u:{}@", "{}", "postgresql://u@"),
    ("postgresql://u:{}@[::1]:5432,h: 2 ,:%33/d?user=a@b", "{}", "postgresql://u@[::1]:5432,h: 2 ,:%33/d?user=a@b"),
    ("host=h options='-c foo.pass=1' password={}", "{}", "host='h' options='-c foo.pass=1' "),
])
def test_a_url_that_libpq_accepts_is_accepted(folder, fresh_id, url, password, rest):
    secret = fresh_id("secret")
    status, output, errors = with_another_psql(folder, url.format(secret))
    assert status == 0 and output == f"{password.format(secret)} -X -q -d {rest} -c \n", output + errors


def with_another_psql(folder, url):
    """Replaces psql by a script that records the password and the arguments."""
    (folder / "psql").write_text('#!/bin/sh\n[ "$1" != -X ] || printf "%s\\n" "$PGPASSWORD $*" >>"$0.seen"\n')
    (folder / "psql").chmod(0o755)
    done = subprocess.run([ROOT / "sql/client", "psql"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=60,
                          env=clean_environment(DATABASE_URL=url, PGSSLMODE="disable",
                                                PATH=f"{folder}:{os.environ['PATH']}"))
    seen = folder / "psql.seen"
    return (
        done.returncode,
        seen.read_text() if seen.exists() else "",
        re.sub(r"warning: over a network .*\n", "", done.stderr),
    )


@pytest.mark.parametrize("url, mode", [
    ("host=192.0.2.1 user=u", "verify-full"), ("postgresql://u@192.0.2.1/d", "verify-full"),
    ("postgresql://u@localhost,db.example.com/d", "verify-full"),
    ("host=localhost hostaddr=192.0.2.1 user=u", "verify-full"),
    ("service=mine", "verify-full"), ("host=localhost user=u", ""), ("postgresql://u@[::1]:1/d", ""),
    ("host=/tmp user=u", ""),
    ("postgresql://u@%2Ftmp/d", ""), ("dbname=d", ""), ("host=192.0.2.1 sslmode=require", ""),
    ("postgresql://h/d?sslmode=disable", ""),
])
def test_the_tools_check_the_certificate_over_a_network_as_the_server_does(folder, url, mode):
    """A replacement of psql records the settings."""
    (folder / "psql").write_text('#!/bin/sh\necho "mode=$PGSSLMODE $*"\n')
    (folder / "psql").chmod(0o755)
    done = subprocess.run([ROOT / "sql/client", "psql"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=60,
                          env=clean_environment(DATABASE_URL=url, PATH=f"{folder}:{os.environ['PATH']}"))
    assert done.stdout.startswith(f"mode={mode} -d ") and done.returncode == 0, done.stdout + done.stderr
    assert ("does not check who the database is" in done.stderr) == (not mode and "ssl" in url)
