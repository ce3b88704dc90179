"""The machine of a run, its date, and the versions."""

import subprocess
from datetime import date
from pathlib import Path


def first_word_after(text, marker):
    return text.split(marker, 1)[1].split()[0] if marker in text else "unknown"


def occasion():
    commit = subprocess.run(["git", "-C", Path(__file__).parent, "rev-parse", "--short", "HEAD"], capture_output=True,
                            text=True).stdout.strip()
    return f"on {date.today()}, at commit {commit or 'unknown'}"


def machine(operator, settings):
    cores = sum(line.startswith("processor") for line in open("/proc/cpuinfo"))
    kilobytes = next(int(line.split()[1]) for line in open("/proc/meminfo") if line.startswith("MemTotal"))
    nginx = subprocess.run(["nginx", "-v"], capture_output=True, text=True).stderr
    swift = subprocess.run(["swift", "--version"], capture_output=True, text=True).stdout
    return {"cores": cores, "memory_gb": round(kilobytes / 1024 ** 2, 1), "settings": settings,
            "postgresql": operator.value("SHOW server_version").split()[0],
            "nginx": first_word_after(nginx, "nginx/"), "swift": first_word_after(swift, "Swift version ")}
