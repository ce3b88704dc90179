"""The versions of the applications."""

import re
import subprocess

from stack import ROOT

OF_INTEREST = ("fastapi", "uvicorn", "asyncpg")


def versions():
    requirements = (ROOT / "bench/fastapi/requirements.txt").read_text()
    pinned = dict(re.findall(r"^([A-Za-z]+)==(\S+)", requirements, re.MULTILINE))
    php = subprocess.run(["php-fpm8.2", "--version"], capture_output=True, text=True).stdout
    wrk = subprocess.run(["wrk", "--version"], capture_output=True, text=True)
    # "wrk debian/4.1.0-3+b2 …", and on standard output or error.
    wrk_version = re.search(r"\d+\.\d+\.\d+", wrk.stdout + wrk.stderr).group()
    return {**{name: pinned[name] for name in OF_INTEREST}, "PHP": php.split()[1].split("-")[0], "wrk": wrk_version}
