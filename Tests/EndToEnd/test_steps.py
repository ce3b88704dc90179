"""The set-up prints one line per step. A failed step prints its error and the place of the whole log."""

import contextlib
import fcntl
import os
import pty
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from asking import eventually
from stack import ROOT, clean_environment

TALKATIVE = "for i in $(seq 300); do echo \"[$i/300] Compiling $i\"; done; echo 'error: no such module' >&2; "


def run(script, **environment):
    return subprocess.run(["bash", "-c", f'. "{ROOT}/scripts/lib/common.bash"; {script}'],
                          env=clean_environment(**{"VERBOSE": "", **environment}),
                          stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE,
                          text=True,
                          timeout=120)


@pytest.fixture
def programs(tmp_path):
    """A folder at the start of PATH with replacements of real programs."""
    folder = tmp_path / "programs"
    folder.mkdir()

    def make(name, script):
        (folder / name).write_text(f"#!/bin/bash\n{script}\n")
        (folder / name).chmod(0o755)

    make.environment = {"PATH": f"{folder}:{os.environ['PATH']}",
                        "BUILD_DIR": os.path.relpath(tmp_path / "build", ROOT)}
    return make


def test_a_successful_step_is_one_line(tmp_path):
    done = run(f"quietly {tmp_path}/new/step.log 'making it' bash -c \"$SCRIPT\"; echo after", SCRIPT=TALKATIVE)
    assert (done.returncode, done.stdout, done.stderr) == (0, "after\n", "making it\n")
    assert "Compiling 300" in (tmp_path / "new/step.log").read_text()


def test_a_failed_step_prints_its_error_and_the_place_of_its_log(tmp_path):
    done = run(f"quietly {tmp_path}/step.log 'making it' bash -c \"$SCRIPT\"; echo after", SCRIPT=TALKATIVE + "exit 3")
    assert done.returncode == 3 and done.stdout == ""
    assert f"the end of {tmp_path}/step.log:" in done.stderr and "error: no such module" in done.stderr
    assert "Compiling" not in done.stderr


def test_the_whole_output_is_shown_on_request(tmp_path):
    done = run(f"quietly {tmp_path}/step.log 'making it' bash -c \"$SCRIPT\"; echo after", SCRIPT=TALKATIVE,
               VERBOSE="1")
    assert done.returncode == 0 and done.stdout == "after\n" and "Compiling 299" in done.stderr
    failed = run(f"quietly {tmp_path}/step.log 'making it' false; echo after", VERBOSE="1")
    assert failed.returncode == 1 and failed.stdout == ""


def test_a_terminal_shows_the_elapsed_time(tmp_path):
    parent, child = pty.openpty()
    until = f"until [ -e {tmp_path}/seen ]; do sleep 0.1; done"
    script = f'. "{ROOT}/scripts/lib/common.bash"; quietly {tmp_path}/step.log "making it" timeout 60 bash -c "$UNTIL"'
    done = subprocess.Popen(["bash", "-c", script],
                            env=clean_environment(VERBOSE="", UNTIL=until),
                            stdin=child,
                            stdout=child,
                            stderr=child,
                            start_new_session=True)
    os.close(child)
    shown = b""
    while True:
        try:
            shown += os.read(parent, 4096)
        except OSError:
            break
        if b" s " in shown:
            (tmp_path / "seen").touch()
    os.close(parent)
    assert done.wait(60) == 0
    assert b"making it\r\n" in shown and b" s " in shown and shown.endswith(b"\r\x1b[K")


def test_a_failed_build_shows_the_compilers_error(programs):
    programs("swift", TALKATIVE + "exit 1")
    done = subprocess.run([ROOT / "scripts/build"],
                          env=clean_environment(**programs.environment, VERBOSE=""),
                          capture_output=True,
                          text=True,
                          timeout=60)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("building the server\n") and "error: no such module" in done.stderr
    assert "build/log/build.log" in done.stderr and "Compiling" not in done.stderr


def install(programs, **environment):
    programs("sudo", "shift $(($# > 0 && ${#1} == 2 ? 1 : 0)); exec \"${@:1}\"")
    return subprocess.run([ROOT / "scripts/install", "database"],
                          env=clean_environment(**programs.environment, VERBOSE="", **environment),
                          stdin=subprocess.DEVNULL,
                          capture_output=True,
                          text=True,
                          timeout=300)


def test_packages_that_cannot_be_installed_are_named_with_the_error_and_the_command(programs):
    programs("dpkg-query", "echo 'nginx installed'")
    programs("apt-get", "seq 200; echo 'E: Unable to locate package postgresql-15' >&2; exit 100")
    done = install(programs)
    lines = done.stderr.splitlines()
    assert done.returncode == 1 and done.stdout == ""
    assert lines[0].startswith("installing ") and "postgresql-15" in lines[0] and " nginx" not in lines[0]
    assert "Unable to locate package" in done.stderr and "apt-get update && apt-get install" in done.stderr
    assert len(lines) < 60


def test_packages_are_installed_in_one_line(programs):
    programs("dpkg-query", "true")
    programs("apt-get", "seq 200; echo 'update-alternatives: warning' >&2")
    for name in ("service", "pg_ctlcluster"):
        programs(name, "true")
    done = install(programs)
    assert done.returncode == 0 and len(done.stderr.splitlines()) == 1 and " packages from Debian: " in done.stderr


@pytest.fixture
def apt(programs, tmp_path):
    """The real apt-get with its own places and locks and without available packages."""
    for folder in ("state/lists/partial", "cache/archives/partial", "dpkg"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "dpkg/status").touch()
    (tmp_path / "apt.conf").write_text(f'Dir::State "{tmp_path}/state"; Dir::Cache "{tmp_path}/cache";'
                                       f' Dir::State::status "{tmp_path}/dpkg/status"; Dir::Bin::dpkg "/bin/false";'
                                       ' Dir::Etc::sourcelist "/dev/null"; Dir::Etc::sourceparts "/dev/null";')
    programs("dpkg-query", "true")
    return {"APT_CONFIG": str(tmp_path / "apt.conf")}


@contextlib.contextmanager
def holding(path):
    """Holds a lock as another apt would."""
    with open(path, "w") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        yield


@pytest.mark.nightly(after=1)
@pytest.mark.parametrize("lock", ["state/lists/lock", "dpkg/lock-frontend"])
def test_the_installation_waits_for_another_apt_and_names_it(programs, apt, tmp_path, lock):
    """After the wait, apt-get reports its error about the packages."""
    log = tmp_path / "build/log/apt.log"
    with ThreadPoolExecutor(1) as thread:
        with holding(tmp_path / lock):
            running = thread.submit(install, programs, **apt, APT_LOCK_TIMEOUT="300")
            eventually(lambda: log.exists() and "Could not get lock" in log.read_text(), 60)
        done = running.result()
    assert (
        done.stderr.count(f"waiting for process {os.getpid()} (") == 1
        and f"which holds {tmp_path}/{lock}, for at most " in done.stderr
    )
    assert done.returncode == 1 and "Unable to locate package" in done.stderr


def test_the_wait_for_another_apt_is_bounded(programs, apt, tmp_path):
    with holding(tmp_path / "state/lists/lock"):
        done = install(programs, **apt, APT_LOCK_TIMEOUT="3")
    assert done.returncode == 1 and "waiting for process" in done.stderr
    assert "Could not get lock" in done.stderr and "apt-get update && apt-get install" in done.stderr
    wrong = install(programs, **apt, APT_LOCK_TIMEOUT="soon")
    assert wrong.returncode == 1 and "APT_LOCK_TIMEOUT" in wrong.stderr


@pytest.mark.nightly
def test_a_whole_start_prints_one_line_per_step(stack, directory):
    """A second stack prints nothing else, except its announcement at the end."""
    other = type(stack)(directory / "lines", VERBOSE="", STACK_DEMO="1", PATIENTS="20")
    try:
        lines = other.call("up").partition("\nPage ")[0].splitlines()
        assert lines[:2] and len(lines) < 15, lines
        for step in ("starting PostgreSQL", "applying sql/", "loading demo data", "starting the server",
                     "starting nginx"):
            assert lines.count(step) == 1, lines
    finally:
        other.down()


def test_many_stacks_copy_the_page_of_the_docs_at_the_same_time(tmp_path):
    page = tmp_path / "docs"
    page.mkdir()
    for name in ("swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png", "LICENSE"):
        (page / name).write_text(name)
    requirements = (ROOT / "pages/docs/requirements.txt").read_bytes()
    (tmp_path / "docs.requirements.txt").write_bytes(requirements)

    def copy(number):
        copied = tmp_path / f"copy{number}"
        done = subprocess.run([ROOT / "scripts/docs", "--copy", copied],
                              env=clean_environment(BUILD_DIR=os.path.relpath(tmp_path, ROOT)),
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert (done.returncode, done.stdout) == (0, "")
        return {path.name: path.read_bytes() for path in copied.iterdir()}

    with ThreadPoolExecutor(8) as pool:
        copies = list(pool.map(copy, range(24)))
    assert {"index.html", "openapi.json", "swagger-ui.css"} <= set(copies[0])
    assert b"@swagger-ui.css@" not in copies[0]["ui.html"] and b"sha384-" in copies[0]["ui.html"]
    assert all(one == copies[0] for one in copies)
