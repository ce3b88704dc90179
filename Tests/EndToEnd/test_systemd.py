"""The systemd units are valid and restrict the server."""

import re
import shutil
import subprocess

import pytest

from stack import ROOT

UNIT = ROOT / "deploy/systemd/reengagement-api.service"
SENDER = ROOT / "deploy/systemd/reengagement-api-deliver.service"
# Each with its variable, and its name in LISTEN_FDNAMES.
SOCKETS = {ROOT / "deploy/systemd/reengagement-api.socket": ("FCGI_LISTEN", "fcgi"),
           ROOT / "deploy/systemd/reengagement-api-live.socket": ("LIVE_LISTEN", "live")}
MOST_EXPOSURE = 2.0

pytestmark = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")


def analyze(*arguments):
    done = subprocess.run(["systemd-analyze", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.returncode, done.stdout


def exposure(unit):
    _, text = analyze("--no-pager", "security", "--offline=true", str(unit))
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", text)
    assert found, text
    return float(found[1])


@pytest.mark.parametrize("unit", [UNIT, SENDER], ids=lambda unit: unit.name)
def test_the_unit_restricts_the_access_to_the_machine(unit):
    assert exposure(unit) <= MOST_EXPOSURE


def test_the_sender_runs_as_the_server_does():
    """With the same environment and restrictions, but without the group of the sockets."""
    sender, server = (set(unit.read_text().splitlines()) for unit in (SENDER, UNIT))
    assert {"ExecStart=/usr/local/bin/reengagement-api deliver", "User=reengagement-api", "Group=reengagement-api",
            "EnvironmentFile=/etc/reengagement-api/environment", "LimitCORE=0"} <= sender
    restriction = re.compile(r"(Protect|Private|Restrict|SystemCall|Capability|NoNew|Lock|MemoryDeny|RemoveIPC|UMask)")
    assert {line for line in server if restriction.match(line)} <= sender


@pytest.mark.nightly
def test_the_unit_without_hardening_is_far_above_the_limit(tmp_path):
    """Without this check a measure that is always low would pass."""
    bare = tmp_path / UNIT.name
    text = UNIT.read_text()
    bare.write_text(text[:text.index("UMask=")] + "[Install]\nWantedBy=multi-user.target\n")
    assert exposure(bare) > 8


def test_systemd_accepts_all_units(tmp_path):
    for unit in (UNIT, SENDER, *SOCKETS):
        text = unit.read_text().replace("/usr/local/bin/reengagement-api", "/bin/true")
        (tmp_path / unit.name).write_text(text)
    status, text = analyze("verify", "--man=no", *(str(tmp_path / unit.name) for unit in (UNIT, SENDER, *SOCKETS)))
    ours = [line for line in text.splitlines() if "reengagement-api" in line]
    assert status == 0 and not ours, text


def test_the_server_has_its_own_user_and_the_sockets_belong_to_nginx_s_group():
    service = UNIT.read_text().splitlines()
    assert {"User=reengagement-api", "Group=reengagement-socket", "NoNewPrivileges=yes", "CapabilityBoundingSet=",
            "LimitCORE=0"} <= set(service)
    for unit in SOCKETS:
        assert {"SocketMode=0660", "SocketUser=reengagement-api",
                "SocketGroup=reengagement-socket"} <= set(unit.read_text().splitlines())


@pytest.mark.parametrize("unit", SOCKETS, ids=lambda unit: unit.name)
def test_a_socket_is_inherited_by_its_name_and_created_at_the_same_path_without_its_unit(unit):
    """systemd gives all sockets of a unit one name, and both units start the one service."""
    variable, name = SOCKETS[unit]
    lines = unit.read_text().splitlines()
    path, = (line.removeprefix("ListenStream=") for line in lines if line.startswith("ListenStream="))
    assert f"FileDescriptorName={name}" in lines
    assert f"Environment={variable}={path}" in UNIT.read_text().splitlines()
    assert unit.stem == UNIT.stem or f"Service={UNIT.name}" in lines


def test_the_server_may_open_a_descriptor_for_each_of_5000_streams_and_10000_requests():
    limit, = re.findall(r"^LimitNOFILE=(\d+)$", UNIT.read_text(), re.MULTILINE)
    assert int(limit) >= 15000
