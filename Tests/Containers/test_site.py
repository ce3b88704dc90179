"""A site set up by the steps of docs/containers.md: an external database, its own certificates and keys, and secrets as
files."""

import json
import os
import re
import shutil
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from conftest import engines
from containers import API, docker, eventually, inspect, run, setting
from sites import (
    ISSUER,
    NAME,
    ORGANIZATION,
    OWNER_PASSWORD,
    SECRETS,
    SERVER_PASSWORD,
    Authority,
    Clerk,
    Client,
    Database,
    Site,
)
from test_upgrade import Asking

RISK = API.replace("org_demo_1", ORGANIZATION) + "risk-metrics"


class Around:
    """The prerequisites of a site."""

    def __init__(self, folder, built):
        self.folder, self.authority = folder, Authority(folder / "authority")
        images = "reengagement-nginx:" + setting(built, "REENGAGEMENT_VERSION")
        self.database = Database(folder / "database", self.authority, setting(built, "POSTGRES_IMAGE"))
        self.clerk = Clerk(folder / "clerk", self.authority, images)
        (folder / "authorities").mkdir()
        run("install", "-m", "444", self.authority.certificate, folder / "authorities/authority.pem")
        self.make_owner()
        self.write_secrets()
        self.serial = self.authority.issue(folder / "tls", NAME, "localhost")

    def make_owner(self):
        """Creates the owner by hand, as step 1 describes."""
        quoted = OWNER_PASSWORD.replace("'", "''")
        self.database.sql(f"CREATE ROLE reengagement_owner LOGIN CREATEROLE PASSWORD '{quoted}'", "postgres")
        self.database.sql("CREATE DATABASE reengagement OWNER reengagement_owner ENCODING 'UTF8' TEMPLATE template0",
                          "postgres")

    def write_secrets(self):
        """Writes the secrets with the line ends of an editor on Windows."""
        for name, content in ("owner-password", OWNER_PASSWORD), ("database-password", SERVER_PASSWORD):
            (self.folder / name).write_bytes(f"{content}\r\n".encode())
        run("install", "-d", "-m", "700", self.folder / "secrets")
        run("install", "-m", "444", self.folder / "database-password", self.folder / "owner-password",
            self.folder / "secrets/")

    def settings(self, **others):
        return {
            "COMPOSE_PROJECT_NAME": "site",
            "CLERK_ISSUER": ISSUER,
            "CLERK_JWKS_URL": self.clerk.url,
            "CLERK_JWKS_CA_FILE": "/run/authorities/authority.pem",
            "CORS_ALLOWED_ORIGINS": "https://app.site.test",
            "DATABASE_URL": self.database.url("reengagement_api"),
            "OWNER_DATABASE_URL": self.database.url("reengagement_owner"),
            "AUTHORITIES": str(self.folder / "authorities"),
            "SECRETS": str(self.folder / "secrets"),
            "CERTIFICATES": str(self.folder / "tls"),
            "SERVER_NAME": f"{NAME} www.site.test",
            "DASHBOARD": "1",
            **others,
        }


@pytest.fixture(scope="module")
def around(built, tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    folder.chmod(0o755)
    around = Around(folder, built)
    yield around
    docker("rm", "-f", "-v", around.database.name, around.clerk.name)


@pytest.fixture(scope="module")
def site(built, command, around):
    site = Site(built, command, around.settings(), around.authority)
    try:
        if not os.environ.get("IMAGES_BUILT"):
            site.compose("--profile", "migrate", "build")
        site.migrate()
        around.database.sql(f"INSERT INTO organizations (id, name) VALUES ('{ORGANIZATION}', 'Site')")
        site.compose("up", "-d")
        site.wait()
        yield site
    finally:
        site.down("-v")


@pytest.fixture
def another(built, command, around, site):  # pylint: disable=unused-argument
    """A site with other settings next to the first one, which has run the migrations."""
    made = []

    def make(**settings):
        number = len(made)
        of = settings.pop("command", command)
        made.append(Site(built, of, around.settings(COMPOSE_PROJECT_NAME=f"another{number}", **settings),
                         around.authority,
                         f"nginx/containers/another{number}.env"))
        return made[-1]

    yield make
    for each in made:
        # Selected by label, because compose itself refuses some of these projects.
        of = "label=com.docker.compose.project=" + each.settings["COMPOSE_PROJECT_NAME"]
        for kind, *more in ("container", "-f", "-v"), ("network",), ("volume",):
            left = docker(kind, "ls", "-q", *(["-a"] if kind == "container" else ()), "--filter", of).split()
            if left:
                docker(kind, "rm", *more, *left)
        (each.folder / each.env_file).unlink()


@pytest.fixture(scope="module")
def clients():
    made = [Client(1), Client(2)]
    yield made
    for client in made:
        client.close()


@pytest.fixture
def token(around):
    return around.clerk.token()


def logs(*names):
    return "".join(docker("logs", name) for name in names)


def test_tokens_of_the_keys_at_that_address_are_accepted(site, around, token):
    answer = site.ask(RISK, token=token)
    assert answer.status == 200 and ORGANIZATION in answer.body
    assert answer.headers["strict-transport-security"]
    assert site.ask(RISK).status == 401
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    assert site.ask(RISK, token=around.clerk.token(key=stranger)).status == 401
    assert site.ask(RISK, token=around.clerk.token(issuer="https://elsewhere.site.test")).status == 401


def test_only_origins_of_the_list_may_ask(site):
    for origin, allowed in ("https://app.site.test", "https://app.site.test"), ("http://localhost:3000", None):
        assert site.ask("/health", "-H", f"Origin: {origin}").headers.get("access-control-allow-origin") == allowed


def test_no_client_signs_in_without_a_token(site):
    assert site.ask("/").status == 200
    for path in "/dev/tokens", "/dev-tokens.json", "/site/dev-tokens.json":
        assert site.ask(path).status == 404, path


def test_plain_http_leads_to_the_port_of_https(site):
    answer = site.ask("/patients?x=1", "-H", "Host: another.example.com", scheme="http")
    assert answer.status == 308 and answer.headers["location"] == f"https://{NAME}:{site.https}/patients?x=1"
    assert "strict-transport-security" not in answer.headers
    assert site.ask(RISK, scheme="http").status == 403


def test_metrics_are_refused_from_outside(site, clients):
    for client in None, clients[0]:
        for host in NAME, "localhost", "127.0.0.1":
            assert site.ask("/metrics", "-H", f"Host: {host}", client=client).status == 403
        assert site.ask("/metrics", client=client, scheme="http").status == 308
    inside = docker("exec", site.name("nginx"), "bash", "-c",
                    r"printf 'GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: "
                    r"close\r\n\r\n' | openssl s_client -quiet -connect 127.0.0.1:443 2>/dev/null")
    assert "reengagement_build_info" in inside


def test_a_client_counts_and_is_recorded_by_its_own_address(site, around, clients, token):
    assert site.ask(RISK, token=token, client=clients[0]).status == 200
    eventually("the audit has the client's address", lambda: clients[0].address in around.database.sql(
        "SELECT DISTINCT address FROM re.audit").splitlines())
    assert f'"client":"{clients[0].address}"' in logs(site.name("nginx"))

    def flood():
        output = run(*clients[0].within, "curl", "-s", "--parallel", "--parallel-max", "100", "--noproxy", "*",
                   "--cacert",
                   site.authority.certificate, "--resolve", f"{NAME}:{site.https}:{clients[0].at}", "-o", "/dev/null",
                   "-w", "%{http_code}\n", f"https://{NAME}:{site.https}/health?[1-500]", status=None)
        return "429" in output.split()

    eventually("the flood is refused", flood)
    assert site.ask("/health", client=clients[1]).status == 200


def test_ipv6_is_refused(site, clients):
    """The engine would forward IPv6 from its own address, so that all clients would count as one."""
    refused = run(*clients[0].within, "curl", "-sS", "-k", "--noproxy", "*",
                  f"https://[{clients[0].at6}]:{site.https}/health", status=7)
    assert "refused" in refused or "connect" in refused


@pytest.mark.parametrize("service", ["server", "nginx"])
def test_limits_of_memory_and_processes_hold(site, service):
    """A process above the limit is refused or killed, and the service continues."""
    name = site.name(service)
    limits = inspect(name)["HostConfig"]
    forks = docker("exec", name, "perl", "-e",
                   "my $n = 0; while ($n < 400) { my $p = fork; last if !defined $p; if (!$p) "
                   "{ sleep 2; exit } $n++ } print $n").strip()
    assert 10 < int(forks) < limits["PidsLimit"] < 400
    megabytes = limits["Memory"] * 2 // 1_000_000
    held = docker("exec", name, "bash", "-c", f"head -c {megabytes}m /dev/zero | tail -c {megabytes}m | wc -c").strip()
    assert held == "0"
    eventually("the site is ready", lambda: site.ask("/ready").status == 200)
    assert inspect(name)["RestartCount"] == 0
    usage = json.loads(docker("stats", "--no-stream", "--format", "{{json .}}", name))
    assert usage["MemUsage"].endswith("/ 512MiB") and int(usage["PIDs"]) < limits["PidsLimit"]


def test_the_end_of_a_line_is_no_part_of_a_password(site, around):
    around.database.login("reengagement_api", SERVER_PASSWORD)


def test_no_secret_is_in_a_configuration_a_log_or_a_command_line(site, around):
    names = docker("ps", "-aq").split()
    for seen in site.compose("config"), docker("inspect", *names), logs(*names):
        assert not [secret for secret in SECRETS if secret in seen]
    for command in docker("top", site.name("server")), docker("top", site.name("nginx")):
        assert not [secret for secret in SECRETS if secret in command]


def test_a_migration_that_fails_leaves_the_server_alone(site, around):
    before = inspect(site.name("server"))["Id"]
    around.database.sql("ALTER ROLE reengagement_owner NOCREATEROLE", "postgres")
    try:
        output = site.migrate(status=1)
    finally:
        around.database.sql("ALTER ROLE reengagement_owner CREATEROLE", "postgres")
    assert "permission denied" in output
    assert site.ask("/ready").status == 200 and inspect(site.name("server"))["Id"] == before
    # The database logs the failed statement, but no secret.
    assert not [secret for secret in SECRETS if secret in output + logs(around.database.name)]
    site.migrate()


REQUIRED = sorted(set(re.findall(r"\$\{([A-Z_]+):?\?",
                                 (Path(__file__).parents[2] / "nginx/containers/compose.site.yaml").read_text())))


@pytest.mark.parametrize("other", engines(), ids=" ".join)
@pytest.mark.parametrize("name", REQUIRED)
def test_a_missing_variable_is_named(another, other, name):
    site = another(command=other, **{name: None})
    assert name in site.compose("config", status=1 if other == ("docker-compose",) else 15)
    if name != "CLERK_JWKS_URL":
        site.write(**{name: ""})
        assert name in site.compose("config", status=1 if other == ("docker-compose",) else 15)


@pytest.mark.parametrize("other", engines(), ids=" ".join)
def test_each_compose(another, other, token):
    site = another(command=other, DASHBOARD="0")
    site.migrate()
    site.compose("up", "-d")
    site.wait()
    assert site.ask(RISK, token=token).status == 200 and site.ask("/").status == 404


def test_a_file_of_another_system(another):
    """Each line ends with a carriage return. A shell would read it as part of the value, so nothing is started."""
    site = another()
    site.write(line_end="\r\n")
    assert "\\r" not in json.dumps(site.compose("config"))
    if ("docker-compose",) in engines():
        old = another(command=("docker-compose",))
        old.write(line_end="\r\n")
        old.compose("up", "-d", status=1)


def test_a_secret_that_is_missing_is_named(another, around, tmp_path):
    site = another(SECRETS=str(tmp_path))
    assert "/run/secrets/owner-password is a folder" in site.migrate(status=1)
    (tmp_path / "owner-password").rmdir()
    (tmp_path / "owner-password").write_text("")
    (tmp_path / "database-password").rmdir()
    (tmp_path / "database-password").write_text(SERVER_PASSWORD)
    assert "there is nothing in /run/secrets/owner-password" in site.migrate(status=1)
    (tmp_path / "owner-password").write_text(OWNER_PASSWORD)
    for name in "owner-password", "database-password":
        (tmp_path / name).chmod(0o400)
    assert "may not read /run/secrets/owner-password" in site.migrate(status=1)
    output = site.compose("run", "--rm", "-T", "--no-deps", "server", "--check-config", status=1)
    assert "may not read /run/secrets/database-password" in output


def test_a_database_with_another_certificate_is_refused(another, around, tmp_path):
    stranger = Authority(tmp_path / "stranger")
    (tmp_path / "authorities").mkdir()
    run("install", "-m", "444", stranger.certificate, tmp_path / "authorities/authority.pem")
    assert "certificate verify failed" in another(AUTHORITIES=str(tmp_path / "authorities")).migrate(status=1)
    other_name = around.database.url("reengagement_owner", "other.site.test")
    assert "does not match host name" in another(OWNER_DATABASE_URL=other_name).migrate(status=1)


def test_a_database_by_its_address(another, around):
    """libpq 15 compares the address with the IP addresses in the certificate."""
    address = around.database.url("x").split("hostaddr=")[1].split()[0]
    another(OWNER_DATABASE_URL=around.database.url("reengagement_owner", address)).migrate()


def certbot(folder, authority, number):
    """Numbered files and links to them, like certbot's. Returns the serial number and a function that moves the links."""
    archive, live = folder / "archive" / NAME, folder / "live" / NAME
    live.mkdir(parents=True, exist_ok=True)
    serial = authority.issue(archive, NAME, "localhost", chain=f"fullchain{number}.pem", key=f"privkey{number}.pem")

    def switch(kind):
        (live / "new").symlink_to(f"../../archive/{NAME}/{kind}{number}.pem")
        (live / "new").rename(live / f"{kind}.pem")

    for private in folder / "archive", folder / "live":
        private.chmod(0o700)
    return serial, switch


def test_a_renewed_certificate_is_read(another, around, tmp_path, monkeypatch):
    """No request is lost. A new key whose certificate is still missing is logged, and the reload waits."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(around.authority.certificate))
    folder = tmp_path / "letsencrypt"
    first, switch = certbot(folder, around.authority, 1)
    switch("fullchain"), switch("privkey")
    site = another(CERTIFICATES=str(folder), CERTIFICATE_PATH=f"live/{NAME}", ACME=str(tmp_path / "acme"))
    site.compose("up", "-d")
    site.wait()
    assert site.serial() == first
    proof = tmp_path / "acme/.well-known/acme-challenge/proof"
    proof.parent.mkdir(parents=True)
    proof.write_text("of the name")
    assert site.ask("/.well-known/acme-challenge/proof", scheme="http").body == "of the name"
    with Asking(f"https://localhost:{site.https}/health") as asking:
        second, switch = certbot(folder, around.authority, 2)
        switch("privkey")
        eventually("nginx logs the mismatch", lambda: "do not belong together" in logs(site.name("nginx")))
        assert site.serial() == first
        switch("fullchain")
        eventually("nginx uses the second certificate", lambda: site.serial() == second)
        replaced = tmp_path / "replaced"
        third = around.authority.issue(replaced, NAME, "localhost")
        for name in "fullchain.pem", "privkey.pem":
            (replaced / name).replace(folder / "live" / NAME / name)
        eventually("nginx uses the third certificate", lambda: site.serial() == third)
        # Without the signal, nginx would read the certificate up to a minute later.
        fourth = around.authority.issue(folder / "live" / NAME, NAME, "localhost")
        docker("kill", "-s", "HUP", site.name("nginx"))
        eventually("nginx uses the fourth certificate", lambda: site.serial() == fourth, timeout=30)
    assert not asking.others and len(asking.answered) > 1000
    assert logs(site.name("nginx")).count("do not belong together") == 1


def test_a_certificate_that_cannot_be_taken_is_named(another, around, tmp_path):
    def refusal(**settings):
        return another(**settings).compose("run", "--rm", "-T", "--no-deps", "nginx", status=1)

    _, switch = certbot(tmp_path, around.authority, 1)
    assert "there is no /etc/nginx/tls/fullchain.pem" in refusal(CERTIFICATES=str(tmp_path))
    switch("fullchain"), switch("privkey")
    assert "a link that leads out of what is mounted" in refusal(CERTIFICATES=str(tmp_path / "live" / NAME))
    around.authority.issue(tmp_path / "archive" / NAME, NAME, chain="x", key="privkey1.pem")
    path = f"live/{NAME}"
    assert "do not belong together" in refusal(CERTIFICATES=str(tmp_path), CERTIFICATE_PATH=path)
    run("chown", "-R", "12345", tmp_path / "archive")
    assert "there is no /etc/nginx/tls/live" in refusal(CERTIFICATES=str(tmp_path), CERTIFICATE_PATH=path)
    assert "is not a path within" in refusal(CERTIFICATES=str(tmp_path), CERTIFICATE_PATH="a|b")


def test_another_password_for_the_server(another, around, tmp_path, token):
    shutil.copytree(around.folder / "secrets", tmp_path / "secrets")
    site = another(SECRETS=str(tmp_path / "secrets"))
    site.compose("up", "-d")
    site.wait()
    new = tmp_path / "new"
    new.write_text("the-next-secret\n")
    new.rename(tmp_path / "secrets/database-password")
    try:
        site.migrate()
        around.database.login("reengagement_api", "the-next-secret")
        assert site.ask(RISK, token=token).status == 200
        site.compose("up", "-d", "--force-recreate", "--no-deps", "server")
        site.wait()
        assert site.ask(RISK, token=token).status == 200
    finally:
        another().migrate()


def test_over_ipv6_all_clients_are_one(another, around, clients, token):
    """The limitation that docs/containers.md describes."""
    site = another(PUBLISH_ADDRESS="[::]")
    site.compose("up", "-d")
    eventually("the site responds", lambda: site.ask("/health", client=clients[0], address=clients[0].at6).status == 200)
    inside = next(iter(inspect(site.name("nginx"))["NetworkSettings"]["Networks"].values()))["Gateway"]
    assert f'"client":"{inside}"' in logs(site.name("nginx"))


def test_prometheus_of_a_site(another, around, tmp_path):
    """As docs/containers.md describes, with the scrape job and the rules of docs/monitoring."""
    documents = Path(__file__).parents[2] / "docs"
    [block] = re.findall(r"```yaml\n(services:\n.*?)```", (documents / "containers.md").read_text(), re.DOTALL)
    folder = tmp_path / "prometheus"
    folder.mkdir()
    (tmp_path / "monitoring.yaml").write_text(block.replace("/etc/reengagement/prometheus", str(folder)))
    shutil.copy(documents / "monitoring/alerts.yml", folder)
    # The only difference from a real site is the issuer of its certificate.
    scrape = (documents / "monitoring/prometheus.yml").read_text().replace("api.example.com", NAME)
    (folder / "prometheus.yml").write_text(scrape.replace("tls_config:", "tls_config:\n      ca_file: authority.pem"))
    shutil.copy(around.authority.certificate, folder)
    for path in tmp_path, folder, *folder.iterdir():
        path.chmod(0o755)
    site = another()
    site.compose("-f", str(tmp_path / "monitoring.yaml"), "up", "-d")
    name = site.compose("-f", str(tmp_path / "monitoring.yaml"), "ps", "-q", "prometheus").strip()
    eventually("the target is up",
               lambda: "=> 1 " in docker("exec", name, "promtool", "query", "instant", "http://127.0.0.1:9090",
                                                            'up{job="reengagement"}'))
    assert not inspect(name)["NetworkSettings"]["Ports"]
