"""Every part of the product has an exact version. The binary is hardened and contains no path of its build."""

import hashlib
import json
import os
import re
import subprocess
import zipfile
from pathlib import Path

import pytest

from stack import ROOT

BINARY = Path(os.environ.get("SERVER_BINARY")
              or ROOT / os.environ.get("BUILD_DIR", ".build") / "release/reengagement-api")
REQUIREMENTS = sorted(path for folder in ("Tests", "bench", "nginx", "scripts")
                      for path in (ROOT / folder).rglob("requirements.txt"))


def output_of(*command, **options):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, **options).stdout


@pytest.fixture(scope="module")
def headers():
    return output_of("readelf", "--wide", "--file-header", "--program-headers", "--dynamic", BINARY)


def test_the_binary_is_hardened(headers):
    assert re.search(r"Type:\s+DYN \(Position-Independent Executable", headers)
    assert re.search(r"\(FLAGS_1\)\s+Flags: NOW", headers) and "GNU_RELRO" in headers
    assert re.search(r"GNU_STACK\s.*\sRW\s", headers)
    assert not re.search(r"\(R(?:UN)?PATH\)|\(TEXTREL\)|\sRWE\s", headers)


def test_the_binary_contains_no_path_of_its_build():
    content = BINARY.read_bytes()
    homes = {str(ROOT), os.path.expanduser("~")} - {"/"}
    assert not [place for place in homes if re.search(re.escape(place.encode()) + rb"/", content)]
    # The toolchain's own build has the same paths everywhere.
    found = {match[0]
             for match in re.finditer(rb"(?<![\x21-\x7e])/[\x21-\x7e]*/(?:Sources|\.build[\w-]*|checkouts)/", content)}
    assert not {each for each in found if not each.startswith((b"/source/", b"/home/build-user/"))}


def test_swift_packages_have_exact_versions():
    dependencies = re.findall(r"\.package\([^)]*\)", (ROOT / "Package.swift").read_text())
    assert dependencies and all(re.search(r'exact: "\d+\.\d+\.\d+"', each) for each in dependencies)


@pytest.mark.parametrize("path", REQUIREMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_packages_from_pypi_have_exact_versions_and_digests(path):
    lines = [line for line in path.read_text().replace("\\\n", " ").splitlines() if line and not line.startswith("#")]
    assert lines
    for line in lines:
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[\w.!+-]+(?: ; [^#]+?)?(?:\s+--hash=sha256:[0-9a-f]{64})+\s*",
                            line), line[:100]
    named = re.findall(r"^[\w.-]+==\S+", path.with_suffix(".in").read_text(), re.MULTILINE)
    assert named and {each.lower() for each in named} <= {line.split()[0].lower() for line in lines}


def wheel(folder):
    made = folder / "harmless-1.0-py3-none-any.whl"
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("harmless.py", "")
        archive.writestr("harmless-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: harmless\nVersion: 1.0\n")
        archive.writestr("harmless-1.0.dist-info/WHEEL",
                         "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("harmless-1.0.dist-info/RECORD", "")
    return hashlib.sha256(made.read_bytes()).hexdigest()


@pytest.mark.nightly
def test_nothing_is_installed_without_its_digest(tmp_path):
    digest = wheel(tmp_path)

    def install(name, line):
        requirements = tmp_path / name / "requirements.txt"
        requirements.parent.mkdir()
        requirements.write_text(line + "\n")
        return subprocess.run([ROOT / "scripts/venv", requirements, "--no-index", "--find-links", tmp_path],
                              env={**os.environ, "BUILD_DIR": os.path.relpath(tmp_path / "build", ROOT)},
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    good = install("good", f"harmless==1.0 --hash=sha256:{digest}")
    assert good.returncode == 0, good.stdout
    assert list(tmp_path.glob("build/venv/good/lib/*/site-packages/harmless.py"))
    refused = install("none", "harmless==1.0")
    assert refused.returncode != 0 and "Hashes are required" in refused.stdout, refused.stdout


@pytest.fixture(scope="module")
def bill():
    return json.loads(output_of(ROOT / "scripts/sbom", BINARY))


@pytest.mark.nightly
def test_the_bill_of_materials_is_of_this_binary_and_complete(bill, headers):
    """Compares it with the output of the linker and the package manager."""
    parts = {each["name"]: each for each in bill["components"]}
    assert (
        bill["bomFormat"] == "CycloneDX"
        and bill["metadata"]["component"]["hashes"][0]["content"] == hashlib.sha256(BINARY.read_bytes()).hexdigest()
    )
    assert all(each["version"] and each["licenses"] and each["purl"].startswith("pkg:") for each in parts.values())
    # Readers expect names with percent-encoded reserved characters.
    assert all(re.fullmatch(r"pkg:[a-z]+/[\w.%/-]+@[\w.%:~-]+(\?[\w=]+)?", each["purl"]) for each in parts.values())
    assert bill["dependencies"][0]["dependsOn"] == [each["bom-ref"] for each in bill["components"]]
    needed = re.findall(r"\(NEEDED\)\s+Shared library: \[([^]]+)\]", headers)
    loaded = dict(re.findall(r"(?:^|\s)(\S+) => (/\S+)", output_of("ldd", BINARY)))
    assert len(needed) > 8
    names = {Path(os.path.realpath(loaded[name])).name for name in set(needed) | set(loaded)
             if not name.startswith("ld-linux")}
    found = output_of("dpkg-query", "--search", *(f"*/{name}" for name in names)).splitlines()
    owners = {line.rpartition("/")[2]: line.partition(":")[0] for line in found}
    assert names <= set(owners)
    installed = output_of("dpkg-query", "--show", "--showformat", "${Package}=${Version}\\n",
                     *(owners[name] for name in names)).splitlines()
    assert set(installed) <= {f"{name}={each['version']}" for name, each in parts.items()}
    pins = json.loads((ROOT / "Package.resolved").read_text())["pins"]
    assert {each["identity"]: each["state"]["version"]
            for each in pins}.items() <= {name: each["version"] for name, each in parts.items()}.items()
    assert {each["name"]
            for each in parts["swagger-ui"]["components"]} == {"LICENSE", "favicon-32x32.png", "swagger-ui-bundle.js",
                                                               "swagger-ui.css"}
    chart = Path("/usr/share/javascript/chart.js/chart.min.js").read_bytes()
    assert parts["libjs-chart.js"]["hashes"][0]["content"] == hashlib.sha256(chart).hexdigest()
