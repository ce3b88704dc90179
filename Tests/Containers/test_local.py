"""The containers of nginx/containers/compose.yaml work like `make run`, and survive failures."""

import json
import os
import re
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from containers import API, ENDPOINTS, PODMAN, ROOT, capabilities, docker, eventually, health, inspect, log_limit, run

CHOWN, SETGID, SETUID, NET_BIND_SERVICE = 0, 6, 7, 10
SERVICES = {
    "postgres": set(),
    "server": set(),
    "nginx": {CHOWN, NET_BIND_SERVICE, SETGID, SETUID},
    "tokens": set(),
}


def test_the_endpoints_answer_on_both_ports(up):
    for address in (up.plain, up.secure):
        for endpoint in ENDPOINTS:
            assert up.ask(endpoint, address).status_code == 200, (address, endpoint)
        assert up.get("/", address).text.startswith("<!doctype html>")
        assert up.get(API + "risk-metrics", address).status_code == 401
    up.log_outreach("a contact")


def test_it_is_the_local_configuration(up):
    assert up.get("/metrics").status_code == 200
    assert up.get("/metrics", **{"X-Forwarded-For": "1.2.3.4"}).status_code == 403
    assert "version" in up.get("/health").json()
    assert "Strict-Transport-Security" not in up.get("/", up.secure).headers
    with ThreadPoolExecutor(16) as many:
        assert {answer.status_code for answer in many.map(lambda _: up.get("/health"), range(800))} == {200}
    assert up.get("/dev/tokens", Host="rebound.example.com").status_code == 404


def test_the_audit_has_the_address_of_this_machine(up):
    assert up.ask("risk-metrics").status_code == 200
    eventually("the audit has an entry", lambda: up.sql("SELECT count(*) FROM re.audit") != "0")
    addresses = up.sql("SELECT DISTINCT a.address FROM re.audit a").splitlines()
    assert addresses == ["127.0.0.1"], addresses


def test_the_printed_line_works(up):
    line = re.search(r"Try\s+(curl .*)", up.compose("logs", "--no-color", "migrate"))[1]
    assert '"organization_id":"org_demo_1"' in subprocess.run(line, shell=True, capture_output=True, text=True,
                                                              check=True).stdout


def test_the_page_signs_itself_in(up, tmp_path):
    browser = pytest.importorskip("browser")
    driver = browser.chromium(tmp_path)
    try:
        driver.get(up.plain + "/")
        eventually("the page shows the demo clinic",
                   lambda: "patients" in driver.find_element("tag name", "main").text.lower()
                   and "token" not in driver.find_element("tag name", "main").text.lower())
    finally:
        driver.quit()


def test_the_project_is_its_own(up):
    assert inspect(up.name("nginx"))["Config"]["Labels"]["com.docker.compose.project"] == "reengagement"
    assert docker("volume", "ls", "-q", "--filter", "name=reengagement_postgres").strip()


def test_another_project_called_nginx_takes_nothing_over(up, tmp_path):
    folder = tmp_path / "nginx"
    folder.mkdir()
    (folder / "compose.yaml").write_text(
        "services: {nginx: {image: '%s', command: [sleep, '60']}}\nvolumes: {postgres: }\n"
        % inspect(up.name("nginx"))["Config"]["Image"]
    )
    before = inspect(up.name("nginx"))["Id"]
    run(*up.command, "-f", folder / "compose.yaml", "down", "-v", "--remove-orphans")
    assert inspect(up.name("nginx"))["Id"] == before and up.get("/ready").status_code == 200
    assert docker("volume", "ls", "-q", "--filter", "name=reengagement_postgres").strip()


def test_containers_are_bounded_and_unprivileged(up):
    for service, kept in SERVICES.items():
        host = inspect(up.name(service))["HostConfig"]
        assert host["Memory"] and host["PidsLimit"], service
        assert host["ReadonlyRootfs"] and capabilities(up.name(service)) == kept, service
        assert any(option.startswith("no-new-privileges") for option in host["SecurityOpt"]), service
        assert log_limit(up.name(service)) in ("10m", "10MB"), service
        assert host["RestartPolicy"]["Name"] == "unless-stopped", service


def test_they_are_healthy_by_the_compose_file(up):
    for service in ("postgres", "server", "nginx"):
        eventually(f"{service} is healthy", lambda: health(up.name(service)) == "healthy")


def test_images_have_labels_and_versions(up):
    for service in ("server", "nginx", "migrate"):
        config = inspect(up.name(service))["Config"]
        version = config["Labels"]["org.opencontainers.image.version"]
        assert config["Image"].endswith(":" + version) and re.fullmatch(r"\d+\.\d+\.\d+", version)


def test_health_checks_stay_out_of_the_logs(up):
    """Health checks write no line to the logs of nginx and PostgreSQL, and few to the server's."""
    time.sleep(2)
    since = str(time.time())
    time.sleep(35)
    lines = {service: docker("logs", "--since", since, up.name(service)).splitlines() for service in SERVICES}
    # PostgreSQL logs checkpoints on its own schedule. A health check does not cause them.
    lines["postgres"] = [line for line in lines["postgres"] if "checkpoint" not in line]
    assert len(lines.pop("server")) <= 2 and not any(lines.values()), lines


def test_up_waits_until_all_services_are_ready(up):
    """A container that has completed does not count as failed."""
    if up.command != ("docker", "compose"):
        pytest.skip("docker-compose 1.29 cannot wait")
    up.compose("down", "-v")
    up.compose("up", "-d", "--wait")
    assert up.ask("patients/patient_1").status_code == 200
    up.compose("up", "-d", "--wait")


def test_demo_data_of_another_size_replace_the_former(up):
    up.compose("run", "--rm", "-T", "migrate", "demo", "anew", ORGANIZATIONS="2", PATIENTS="7")
    assert up.sql("SELECT count(*) FROM patients WHERE organization_id = 'org_demo_1'") == "7"
    up.compose("run", "--rm", "-T", "migrate", "demo", "anew")
    assert up.sql("SELECT count(*) FROM patients WHERE organization_id = 'org_demo_1'") == "40"


def test_signals_reach_the_server(up):
    """As docs/containers.md describes: one signal rereads the keys, another one changes the log's level."""
    since = str(time.time())
    for name in ("HUP", "USR1", "USR2"):
        up.compose("exec", "-T", "server", "sh", "-c", f"kill -{name} 1")
        eventually(f"SIG{name} is logged", lambda: f"SIG{name}" in docker("logs", "--since", since, up.name("server")))
    assert up.get("/ready").status_code == 200
    assert inspect(up.name("server"))["RestartCount"] == 0


def test_the_bill_of_materials_of_an_image(up):
    listed = json.loads(subprocess.run([ROOT / "scripts/sbom-image", inspect(up.name("server"))["Config"]["Image"]],
                                       check=True,
                                       capture_output=True, text=True).stdout)
    assert listed["bomFormat"] == "CycloneDX"
    names = {component["purl"].split("@")[0] for component in listed["components"]}
    depended_on = re.findall(r'url: "https://(.+?)(?:\.git)?"', (ROOT / "Package.swift").read_text())
    assert depended_on and {f"pkg:swift/{place}" for place in depended_on} <= names, names
    assert {"pkg:deb/debian/libpq5", "pkg:deb/debian/libc6"} <= names


@pytest.mark.skipif(PODMAN, reason="Podman refuses docker-compose's `run` next to a container of the service")
def test_the_configuration_is_checked_and_nothing_started(up):
    started = inspect(up.name("server"))["State"]["StartedAt"]
    up.compose("run", "--rm", "-T", "--no-deps", "server", "--check-config")
    output = up.compose("run", "--rm", "-T", "--no-deps", "-e", "RATE_LIMIT=much", "server", "--check-config",
                        status=78)
    assert "RATE_LIMIT" in output
    assert inspect(up.name("server"))["State"]["StartedAt"] == started
    up.wait()


@pytest.mark.parametrize("service", SERVICES)
def test_a_killed_service_is_restarted(up, service):
    state = inspect(up.name(service))["State"]
    os.kill(state["Pid"], signal.SIGKILL)
    eventually(f"{service} runs again", lambda: inspect(up.name(service))["State"]["StartedAt"] != state["StartedAt"]
               and inspect(up.name(service))["State"]["Running"])
    up.wait()
    eventually("the server responds", lambda: up.ask("risk-metrics").status_code == 200)


def test_a_hanging_server_is_restarted(up):
    name = up.name("server")
    state = inspect(name)["State"]
    started = state["StartedAt"]
    os.kill(int(run("pgrep", "--parent", state["Pid"], "--exact", "reengagement-ap")), signal.SIGSTOP)
    eventually("the server was started again", lambda: inspect(name)["State"]["StartedAt"] != started)
    up.wait()


def test_down_and_up_keep_what_was_logged(up):
    up.log_outreach("to be kept")
    rows = up.sql("SELECT count(*) FROM outreach_log")
    up.down()
    # Demo data are never loaded again, not even on another day.
    up.up()
    eventually("the demo data are reported", lambda: "no demo data are loaded" in up.compose("logs", "demo"))
    assert up.sql("SELECT count(*) FROM outreach_log") == rows
    assert up.sql("SELECT count(*) FROM outreach_log WHERE notes = 'to be kept'") == "1"


def test_a_certificate_that_ends_soon_is_renewed(up):
    volume = "reengagement_tls"
    docker("run", "--rm", "-v", f"{volume}:/etc/nginx/tls", "--entrypoint", "openssl",
           inspect(up.name("nginx"))["Config"]["Image"],
           "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3", "-subj", "/CN=localhost",
           "-keyout", "/etc/nginx/tls/privkey.pem", "-out", "/etc/nginx/tls/fullchain.pem")
    docker("restart", up.name("nginx"))
    up.wait()
    docker("exec", up.name("nginx"), "openssl", "x509", "-in", "/etc/nginx/tls/fullchain.pem", "-noout", "-checkend",
           "2592000")


@pytest.mark.parametrize("image", [None, "postgres:17-bookworm"])
def test_a_backup_is_restored(up, project, image):
    if image and not docker("image", "ls", "-q", image).strip():
        pytest.skip(f"there is no {image}")
    notes = f"in the backup for {image}"
    up.log_outreach(notes)
    dump = up.folder / "reengagement.dump"
    with dump.open("wb") as file:
        subprocess.run([*up.command, "-f", up.file, "exec", "-T", "postgres", "pg_dump", "-U", "postgres", "-Fc",
                        "reengagement",
                        "--exclude-table-data=re.(pending_change|organization_state|patient_state|patient_search|patient_count|risk_day|outreach_day)"],
                       stdout=file, check=True, cwd=up.folder, env={**os.environ, **up.environment})
    other = project(COMPOSE_PROFILES="", **({"POSTGRES_IMAGE": image} if image else {}))
    other.compose("up", "-d", "postgres")
    eventually("PostgreSQL accepts connections", lambda: other.sql("SELECT 1") == "1")
    eventually("PostgreSQL accepts TCP", lambda: docker("exec", other.name("postgres"), "pg_isready", "-h", "127.0.0.1"))
    other.compose("run", "--rm", "-T", "--no-deps", "--entrypoint", "/opt/reengagement/sql/migrate", "migrate",
                  "--roles")
    with dump.open("rb") as file:
        subprocess.run(["docker", "exec", "-i", other.name("postgres"), "pg_restore", "-U", "postgres", "-d",
                        "reengagement",
                        "--exit-on-error", "--no-owner", "--no-acl", "--no-comments"], stdin=file, check=True)
    other.up()
    other.compose("run", "--rm", "-T", "--no-deps", "migrate", "rebuild")
    assert "equal" in other.compose("run", "--rm", "-T", "--no-deps", "migrate", "verify")
    assert other.sql(f"SELECT count(*) FROM outreach_log WHERE notes = '{notes}'") == "1"
    assert other.ask("risk-metrics").status_code == 200
