"""Checks the container files against the rest of the project without building them. Tests/Containers runs them."""

import json
import re

import pytest
import yaml

from documents import SENDER_VARIABLES, SERVER_VARIABLES, documented_variables
from stack import ROOT

HERE = ROOT / "nginx/containers"
FILES = sorted([*HERE.glob("*Dockerfile"), *(ROOT / "deploy").glob("*Dockerfile")])
LOCAL, SITE = (yaml.safe_load((HERE / name).read_text())["services"] for name in ("compose.yaml", "compose.site.yaml"))
SETTINGS = dict(line.split("=", 1) for line in (HERE / ".env").read_text().splitlines() if re.match(r"[A-Z]", line))


def test_compose_builds_exactly_the_existing_images():
    for services in (LOCAL, SITE):
        built = [service["build"] for service in services.values() if "build" in service]
        assert {build["dockerfile"] for build in built} <= {str(file.relative_to(ROOT)) for file in FILES}
        assert all((HERE / build["context"]).resolve() == ROOT for build in built)
    assert {str(file.relative_to(ROOT)) for file in FILES} == {
        service["build"]["dockerfile"] for service in LOCAL.values() if "build" in service}


def test_base_images_have_exact_tags_in_one_place():
    bases = {name: value for name, value in SETTINGS.items() if name.endswith("_IMAGE")}
    assert len(bases) == 5
    for name, value in bases.items():
        assert re.search(r":v?\d+\.\d+", value), f"{name}={value}"
    text = "".join(file.read_text() for file in (*FILES, HERE / "compose.yaml", HERE / "compose.site.yaml"))
    assert set(re.findall(r"\$\{(\w+_IMAGE)", text)) == set(bases)
    assert not [value for value in bases.values() if value in text]


def test_the_tag_is_the_version():
    version = re.search(r'"(.*)"', (ROOT / "Sources/Server/Version.swift").read_text())[1]
    assert SETTINGS["REENGAGEMENT_VERSION"] == version and SETTINGS["COMPOSE_PROJECT_NAME"] == "reengagement"


def test_the_image_is_compiled_like_scripts_build():
    flags = re.search(r"swift build (.*) --scratch-path", (ROOT / "scripts/build").read_text())[1]
    hardening = re.search(r"^flags=\((.*)\)", (ROOT / "scripts/build").read_text(), re.MULTILINE)[1]
    text = (ROOT / "deploy/server.Dockerfile").read_text()
    assert f"swift build {flags} --scratch-path" in text and hardening in text


def test_scripts_keep_their_line_ends_in_any_clone():
    assert "* text=auto eol=lf" in (ROOT / ".gitattributes").read_text()


def test_each_service_has_limits_and_each_server_a_health_check():
    for services in (LOCAL, SITE):
        for name, service in services.items():
            assert service["mem_limit"] and service["pids_limit"] and service["logging"]["options"]["max-size"], name
            assert service["cap_drop"] == ["ALL"] and service["read_only"], name
            limit = int(service["mem_limit"].replace("g", "000m").removesuffix("m"))
            # Files on a tmpfs count as memory, so the size must be refused before the kernel kills a process.
            kept = [re.fullmatch(r"/\S+:size=(\d+)m", mount) for mount in service.get("tmpfs", ())]
            assert all(kept) and sum(int(mount[1]) for mount in kept) <= limit * 3 // 4, name
    for service in (LOCAL["postgres"], *(services[name] for services in (LOCAL, SITE) for name in ("server", "nginx"))):
        assert service["healthcheck"]["test"]


def test_no_password_has_a_default():
    for file in ("compose.yaml", "compose.site.yaml"):
        assert not re.findall(r"(?<!\$)\$\{\w*PASSWORD\w*:-[^}]+\}", (HERE / file).read_text())
    assert not re.findall(r"^\w*PASSWORD", (HERE / ".env.example").read_text(), re.MULTILINE)


def test_every_setting_is_in_the_example():
    example = set(re.findall(r"^#?([A-Z][A-Z_]+)=", (HERE / ".env.example").read_text(), re.MULTILINE))
    for file, services in ("compose.yaml", LOCAL), ("compose.site.yaml", SITE):
        text = re.sub(r"(?m)^ *#.*$", "", (HERE / file).read_text())
        used = set(re.findall(r"(?<!\$)\$\{([A-Z_]+)", text))
        # Without a value the variable comes from the shell.
        used |= {name for service in services.values() for name, value in service.get("environment", {}).items()
                 if value is None}
        assert used <= example | set(SETTINGS), (file, used - example)


def test_the_example_documents_the_actual_defaults():
    example = dict(re.findall(r"^#?([A-Z][A-Z_]+)=(.*)$", (HERE / ".env.example").read_text(), re.MULTILINE))
    compared = set()
    for file in ("compose.yaml", "compose.site.yaml"):
        for name, default in re.findall(r"(?<!\$)\$\{([A-Z_]+):?-([^}]+)\}", (HERE / file).read_text()):
            if name in SETTINGS or "example.com" in example[name] or (file,
                                                                      name[-5:]) == ("compose.site.yaml", "_PORT"):
                continue
            assert example[name] == default, (file, name)
            compared.add(name)
    for name, default in documented_variables().items():
        if name in SERVER_VARIABLES | {"HTTPS_PORT", "HTTP_PORT"} and re.fullmatch(r"\d+|on|info|json", default):
            assert example[name] == default, name
            compared.add(name)
    assert len(compared) > 20, compared


def test_copied_files_exist_and_scripts_are_executable():
    copied = [source for file in FILES for line in re.findall(r"^COPY (?!--)(.+) \S+$", file.read_text(), re.MULTILINE)
              for source in line.split()]
    assert len(copied) >= 12
    for source in copied:
        assert (ROOT / source).exists(), source
    for script in (HERE / "start-nginx", ROOT / "deploy/prepare", ROOT / "deploy/start-server"):
        assert script.stat().st_mode & 0o111, script


def test_exactly_the_servers_variables_can_be_set():
    for name, services in (("local", LOCAL), ("site", SITE)):
        used = set(services["server"]["environment"])
        assert {variable.removesuffix("_FILE")
                for variable in used - SERVER_VARIABLES} <= {"PGPASSWORD", "CLERK_JWT_KEY"}, used - SERVER_VARIABLES
        # The image fixes the sockets' paths. The local set-up has its own database and role.
        assert SERVER_VARIABLES - used == {"FCGI_LISTEN", "LIVE_LISTEN"} | ({"DATABASE_ROLE"} if name == "local" else set()), name
        fixed = {variable for variable, value in services["server"]["environment"].items()
                 if value is not None and "${" not in str(value)}
        assert fixed == {"PGPASSWORD_FILE"} | ({"DATABASE_URL", "CLERK_JWT_KEY_FILE"}
                                               if name == "local" else set()), name


def test_the_sender_has_the_variables_that_it_reads():
    """The default of its pool is right for all, and local database and role are fixed."""
    own = SENDER_VARIABLES | {"DATABASE_URL", "DATABASE_LOGIN", "DB_ACQUIRE_TIMEOUT_MS", "DB_STATEMENT_TIMEOUT_MS",
                              "SECRETS_KEY_FILE", "WEBHOOK_ALLOW_PRIVATE", "PUBLIC_URL", "LOG_LEVEL", "LOG_FORMAT"}
    for services in (LOCAL, SITE):
        sender, server = services["deliver"], services["server"]
        assert set(sender["environment"]) - {"DATABASE_ROLE", "PGPASSWORD_FILE"} == own
        assert sender["image"] == server["image"] and sender["command"] == ["deliver"]
        assert sender["stop_grace_period"] == "15s" and "ports" not in sender


def test_the_runtime_has_the_libraries_of_the_build():
    text = (ROOT / "deploy/server.Dockerfile").read_text()
    build, _, runtime = text.partition(" AS runtime")
    libraries = re.search(r"^libraries=\((.*?)\)", (ROOT / "scripts/install").read_text(), re.MULTILINE)[1].split()
    assert set(libraries) <= set(build.split())
    for library in ("libcurl4", "libfcgi0ldbl", "libjwt0", "libpq5", "libssl3"):
        assert library in runtime.split()
    assert "USER reengagement-api:reengagement-socket" in runtime and "HEALTHCHECK" in runtime


def test_the_group_of_the_socket_is_the_same_number_for_server_and_nginx():
    made = [re.findall(r"groupadd --system --gid (\d+) reengagement-socket", file.read_text())
            for file in (ROOT / "deploy/server.Dockerfile", HERE / "nginx.Dockerfile")]
    assert len(made[0]) == 1 and made[0] == made[1]
    assert re.search(r"^user www-data reengagement-socket;$", (ROOT / "nginx/site/process.conf").read_text(),
                     re.MULTILINE)


@pytest.mark.parametrize("variable, file", [("FCGI_LISTEN", "server.conf"), ("LIVE_LISTEN", "live.conf")])
def test_each_socket_is_where_nginx_looks_for_it(variable, file):
    path = re.search(r"server unix:(\S+);", (ROOT / "nginx/site" / file).read_text())[1]
    assert f"{variable}={path}" in (ROOT / "deploy/server.Dockerfile").read_text().split()
    assert f"{variable}) printf %s {path} ;;" in (HERE / "start-nginx").read_text()
    folder = path.rpartition("/")[0]
    assert all(f"socket:{folder}" in services[name]["volumes"] for services in (LOCAL, SITE)
               for name in ("server", "nginx"))


@pytest.mark.parametrize("services", [LOCAL, SITE], ids=["local", "site"])
def test_server_and_nginx_have_descriptors_and_memory_for_5000_streams(services):
    """The engines' default is 1,024 descriptors in some versions. nginx needs 49 KiB a stream over TLS."""
    server, nginx = services["server"], services["nginx"]
    assert server["ulimits"]["nofile"] >= 2 * 5000
    wanted = [int(re.search(r"worker_rlimit_nofile (\d+);", (ROOT / "nginx" / file).read_text())[1])
              for file in ("production.conf", "local.conf")]
    # Without CAP_SYS_RESOURCE nginx cannot raise its limit.
    assert nginx["ulimits"]["nofile"] >= max(wanted)
    files = sum(int(re.search(r"size=(\d+)m", mount)[1]) for mount in nginx["tmpfs"])
    assert int(nginx["mem_limit"].removesuffix("m")) >= files + 5000 * 49 / 1024 + 128


def test_the_server_has_time_to_stop_and_nginx_does_not_wait_for_streams():
    """The server ends within 10 s. nginx would wait for its streams until it is killed."""
    for services in (LOCAL, SITE):
        assert services["server"]["stop_grace_period"] == "15s" and services["nginx"]["stop_grace_period"] == "5s"


def test_no_container_leaves_its_memory_on_a_disk():
    assert all(service["ulimits"]["core"] == 0 for services in (LOCAL, SITE) for service in services.values())
    for configuration in ("production.conf", "local.conf"):
        assert "\nworker_rlimit_core 0;\n" in (ROOT / "nginx" / configuration).read_text()


def test_grafana_finds_its_source_and_its_dashboard():
    """Checks fields and paths by Grafana's documentation, because Grafana cannot be started here."""
    copied = dict(re.findall(r"^COPY (\S+) (\S+)$", (HERE / "grafana.Dockerfile").read_text(), re.MULTILINE))
    targets = {source: target.rpartition("/")[0] for source, target in copied.items()}
    assert targets["nginx/containers/monitoring/datasource.yml"] == "/etc/grafana/provisioning/datasources"
    assert targets["nginx/containers/monitoring/dashboards.yml"] == "/etc/grafana/provisioning/dashboards"
    sources, providers = (yaml.safe_load((HERE / f"monitoring/{name}.yml").read_text())
                          for name in ("datasource", "dashboards"))
    assert sources["apiVersion"] == providers["apiVersion"] == 1
    [source], [provider] = sources["datasources"], providers["providers"]
    assert source == {"name": "Prometheus", "type": "prometheus", "access": "proxy", "uid": "prometheus",
                      "url": "http://prometheus:9090", "isDefault": True}
    assert "prometheus" in LOCAL and LOCAL["prometheus"]["ports"][0].endswith(":9090")
    assert provider["type"] == "file" and provider["options"] == {"path": targets["docs/monitoring/dashboard.json"]}
    dashboard = json.loads((ROOT / "docs/monitoring/dashboard.json").read_text())
    # The dashboard selects the data source by its type, so it works with the source of any site.
    variable = next(each for each in dashboard["templating"]["list"] if each["type"] == "datasource")
    assert variable["query"] == source["type"]
    asked = set(re.findall(r'"uid": ?"([^"]*)"',
                           json.dumps([dashboard["panels"], dashboard["templating"], dashboard["annotations"]])))
    assert asked == {"${%s}" % variable["name"]}
    for volume, folder in ("grafana", "/var/lib/grafana"), ("prometheus", "/prometheus"):
        assert f"{volume}:{folder}" in LOCAL[volume]["volumes"]
