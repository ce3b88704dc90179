"""The container files as far as they can be held against the rest without building them; scripts/images builds and runs them."""

import re

import yaml

from stack import ROOT

FILES = sorted((ROOT / "nginx").glob("*Dockerfile"))
SERVICES = yaml.safe_load((ROOT / "nginx/compose.yaml").read_text())["services"]


def test_there_are_the_images_that_compose_builds():
    built = {service["build"]["dockerfile"] for service in SERVICES.values() if "build" in service}
    assert built == {str(file.relative_to(ROOT)) for file in FILES} and len(built) == 3
    assert all((ROOT / "nginx" / service["build"]["context"]).resolve() == ROOT for service in SERVICES.values()
               if "build" in service)


def test_what_is_copied_is_there_and_scripts_can_be_run():
    copied = [source for file in FILES for line in re.findall(r"^COPY (?!--)(.+) \S+$", file.read_text(), re.MULTILINE)
              for source in line.split()]
    assert len(copied) >= 12
    for source in copied:
        assert (ROOT / source).exists(), source
    for script in (ROOT / "nginx/container").iterdir():
        assert script.stat().st_mode & 0o111, script


def test_compose_sets_only_variables_that_the_server_knows():
    known = set(re.findall(r"\b[A-Z][A-Z_]+\b", re.search(r"server_variables=\((.*?)\)", (
        ROOT / "scripts/lib/server.bash").read_text(), re.DOTALL)[1]))
    used = set(SERVICES["server"]["environment"])
    assert used and used <= known, used - known


def test_the_runtime_has_the_libraries_that_are_built_against():
    text = (ROOT / "nginx/server.Dockerfile").read_text()
    build, _, runtime = text.partition("AS runtime")
    libraries = re.search(r"^libraries=\((.*?)\)", (ROOT / "scripts/install").read_text(), re.MULTILINE)[1].split()
    assert set(libraries) <= set(build.split())
    for library in ("libcurl4", "libfcgi0ldbl", "libjwt0", "libpq5", "libssl3"):
        assert library in runtime.split()
    assert "USER reengagement-api:reengagement-socket" in runtime and "HEALTHCHECK" in runtime


def test_the_group_of_the_socket_is_the_same_number_for_server_and_nginx():
    made = [re.findall(r"groupadd --system --gid (\d+) reengagement-socket", (ROOT / "nginx" / name).read_text())
            for name in ("server.Dockerfile", "Dockerfile")]
    assert len(made[0]) == 1 and made[0] == made[1]
    assert re.search(r"^user www-data reengagement-socket;$", (ROOT / "nginx/production.conf").read_text(), re.MULTILINE)


def test_the_socket_is_where_nginx_looks_for_it():
    path = re.search(r"server unix:(\S+);", (ROOT / "nginx/production.conf").read_text())[1]
    assert f"FCGI_LISTEN={path}" in (ROOT / "nginx/server.Dockerfile").read_text()
    folder = path.rpartition("/")[0]
    assert all(f"socket:{folder}" in SERVICES[name]["volumes"] for name in ("server", "nginx"))


def test_no_container_leaves_its_memory_on_a_disk():
    assert SERVICES and all(service["ulimits"] == {"core": 0} for service in SERVICES.values())
    for configuration in ("production.conf", "local.conf.template"):
        assert "\nworker_rlimit_core 0;\n" in (ROOT / "nginx" / configuration).read_text()
