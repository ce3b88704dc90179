"""The stack under test in a separate directory. scripts/stack starts and stops it."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def say(text):
    print(text, file=sys.stderr, flush=True)


class Stack:

    def __init__(self, directory, root=ROOT, **environment):
        """`root` is the checkout of which the scripts are used."""
        self.directory, self.root = directory, root
        # Each request counts for its subject, as in production, but the limit is too high to refuse any.
        self.environment = {**os.environ, "STACK_DIR": str(directory), "RATE_LIMIT": "1000000", **environment}

    def call(self, *arguments, **environment):
        done = subprocess.run([self.root / "scripts/stack", *arguments], env={**self.environment, **environment},
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise SystemExit(f"error: scripts/stack {' '.join(arguments)} failed")
        return done.stdout

    def where(self):
        return dict(line.split("=", 1) for line in self.call("env").splitlines())

    def token(self, organization):
        environment = {**self.environment, "ORG": organization, "TOKEN_TTL": "86400"}
        return subprocess.run([self.root / "scripts/token"], env=environment, check=True, capture_output=True,
                              text=True).stdout.strip()

    def start_database(self):
        """Sets memory as on a server of this size, and checkpoints that are too rare to disturb every measurement."""
        self.call("postgres-start")
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        settings = {"shared_buffers": f"{min(memory // 4, 4 << 30) >> 20}MB", "max_wal_size": "8GB",
                    "effective_cache_size": f"{memory // 2 >> 20}MB", "maintenance_work_mem": "256MB",
                    "checkpoint_timeout": "15min"}
        url = self.where()["DATABASE_URL"]
        for name, value in settings.items():
            subprocess.run(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", url, "-c",
                            f"ALTER SYSTEM SET {name} = '{value}'"], check=True)
        self.call("postgres-stop")
        self.call("postgres-start")
        self.call("migrate")
        return settings
