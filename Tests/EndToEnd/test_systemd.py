"""The systemd units are valid and restrict the server."""

import re
import shutil
import subprocess

import pytest

from stack import ROOT

UNIT, SOCKET = ROOT / "deploy/systemd/reengagement-api.service", ROOT / "deploy/systemd/reengagement-api.socket"
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


def test_the_unit_restricts_the_servers_access_to_the_machine():
    assert exposure(UNIT) <= MOST_EXPOSURE


@pytest.mark.nightly
def test_the_unit_without_hardening_is_far_above_the_limit(tmp_path):
    """Without this check a measure that is always low would pass."""
    bare = tmp_path / UNIT.name
    text = UNIT.read_text()
    bare.write_text(text[:text.index("UMask=")] + "[Install]\nWantedBy=multi-user.target\n")
    assert exposure(bare) > 8


def test_systemd_accepts_both_units(tmp_path):
    for unit in (UNIT, SOCKET):
        text = unit.read_text().replace("/usr/local/bin/reengagement-api", "/bin/true")
        (tmp_path / unit.name).write_text(text)
    status, text = analyze("verify", "--man=no", *(str(tmp_path / unit.name) for unit in (UNIT, SOCKET)))
    ours = [line for line in text.splitlines() if "reengagement-api" in line]
    assert status == 0 and not ours, text


def test_the_server_has_its_own_user_and_the_socket_belongs_to_nginx_s_group():
    service, listener = UNIT.read_text().splitlines(), SOCKET.read_text().splitlines()
    assert {"User=reengagement-api", "Group=reengagement-socket", "NoNewPrivileges=yes", "CapabilityBoundingSet=",
            "LimitCORE=0"} <= set(service)
    assert {"SocketMode=0660", "SocketUser=reengagement-api", "SocketGroup=reengagement-socket"} <= set(listener)
