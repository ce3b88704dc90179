"""The machine of a run, and the versions."""

import subprocess


def first_word_after(text, marker):
    return text.split(marker, 1)[1].split()[0] if marker in text else "unknown"


def machine(operator, settings):
    cores = sum(line.startswith("processor") for line in open("/proc/cpuinfo"))
    kilobytes = next(int(line.split()[1]) for line in open("/proc/meminfo") if line.startswith("MemTotal"))
    nginx = subprocess.run(["nginx", "-v"], capture_output=True, text=True).stderr
    swift = subprocess.run(["swift", "--version"], capture_output=True, text=True).stdout
    return {"cores": cores, "memory_gb": round(kilobytes / 1024 ** 2, 1), "settings": settings,
            "postgresql": operator.value("SHOW server_version").split()[0],
            "nginx": first_word_after(nginx, "nginx/"), "swift": first_word_after(swift, "Swift version ")}
