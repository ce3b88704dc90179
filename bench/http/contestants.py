"""The applications behind nginx: the server without and with its response cache, FastAPI and php-fpm."""

import grp
import json
import os
import socket
import subprocess
import time
from pathlib import Path
from urllib.parse import quote

import nginx
from cells import COMPUTED, CONSTANT, FASTAPI, PHP, UNCHANGED
from database import SERVER_OPTIONS, SERVER_SETTINGS
from stack import ROOT, Stack

# The best of 2, 4 and 8 connections each, and of 4, 8 and 16 children, on two cores.
UVICORN_WORKERS = 2
UVICORN_CONNECTIONS = 8  # each
PHP_CHILDREN = 8


def kept_stack(directory, where):
    """A second server on the same database, with a response cache."""
    return Stack(Path(directory) / "unchanged", DATABASE_URL=where["DATABASE_URL"],
                 CLERK_JWT_KEY=Path(where["PUBLIC_KEY"]).read_text(), CLERK_ISSUER=where["ISSUER"])


def accepts(path):
    with socket.socket(socket.AF_UNIX) as channel:
        try:
            channel.connect(str(path))
            return True
        except OSError:
            return False


def fields(schema, document):
    """Returns a response's fields by name: the type of a field, or the fields of an inner object."""
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if "properties" not in schema:
        return schema["type"]
    return {name: fields(inner, document) for name, inner in schema["properties"].items()}


def fields_of(name):
    document = json.loads((ROOT / "Sources/API/openapi.json").read_text())
    return fields(document["components"]["schemas"][name], document)


class Others:
    """Starts and stops FastAPI and php-fpm."""

    def __init__(self, directory, where, statements):
        self.directory, self.where = Path(directory) / "others", where
        self.directory.mkdir(exist_ok=True)
        self.sockets = self.directory / "run"
        self.sockets.mkdir(exist_ok=True)
        # The same group as the stack's sockets, by which nginx reaches them.
        os.chmod(self.sockets, 0o750)
        if os.geteuid() == 0:
            os.chown(self.sockets, 0, grp.getgrnam("reengagement-socket").gr_gid)
        self.statements = self.directory / "statements.json"
        self.statements.write_text(json.dumps(statements))
        self.risk_metrics = self.directory / "risk_metrics.json"
        self.risk_metrics.write_text(json.dumps(fields_of("RiskMetrics")))
        self.processes = {}

    def socket(self, name):
        return self.sockets / f"{name}.sock"

    def start(self):
        self.launch(FASTAPI, self.uvicorn(), self.fastapi_environment(), "fastapi")
        self.launch(PHP, self.php_fpm(), dict(os.environ), "php")

    def launch(self, who, command, environment, name):
        log = self.directory / f"{name}.log"
        self.socket(name).unlink(missing_ok=True)
        # They end when this program ends.
        command = ["setpriv", "--pdeathsig", "TERM", *command]
        with open(log, "wb") as output:
            process = subprocess.Popen(command, env=environment, cwd=self.directory, stdin=subprocess.DEVNULL,
                                       stdout=output, stderr=output)
        self.processes[who] = process
        deadline = time.monotonic() + 30
        while not accepts(self.socket(name)):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"error: {who} does not start:\n{log.read_text()[-2000:]}")
            time.sleep(0.05)

    def stop(self):
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def uvicorn(self):
        # No access log of its own: nginx logs all requests.
        options = {"app-dir": ROOT / "bench/fastapi", "uds": self.socket("fastapi"), "workers": UVICORN_WORKERS,
                   "loop": "uvloop", "http": "httptools", "log-level": "warning", "backlog": 4096}
        return [os.environ["UVICORN_PYTHON"], "-m", "uvicorn", "app:app", "--no-access-log", "--no-server-header",
                "--no-proxy-headers", *(f"--{name}={value}" for name, value in options.items())]

    def fastapi_environment(self):
        settings = {**SERVER_SETTINGS, "statement_timeout": "5000", "application_name": "fastapi"}
        return {**os.environ, "DATABASE_URL": self.where["DATABASE_URL"], "DATABASE_SETTINGS": json.dumps(settings),
                "POOL_SIZE": str(UVICORN_CONNECTIONS), **self.common()}

    def common(self):
        return {"STATEMENTS": str(self.statements), "RISK_METRICS": str(self.risk_metrics),
                "PUBLIC_KEY": self.where["PUBLIC_KEY"], "ISSUER": self.where["ISSUER"]}

    def php_fpm(self):
        connection = (f"{self.where['DATABASE_URL']}&application_name=php"
                      f"&options={quote(SERVER_OPTIONS + ' -c statement_timeout=5000')}")
        values = {**self.common(), "DIRECTORY": self.directory, "SOCKET": self.socket("php"), "CHILDREN": PHP_CHILDREN,
                  "CONNECTION": connection,
                  # PostgreSQL's directory admits root and its own user.
                  "USER": "user = root" if os.geteuid() == 0 else ""}
        text = (ROOT / "bench/php/php-fpm.conf.template").read_text()
        for name, value in values.items():
            text = text.replace(f"@{name}@", str(value))
        configuration = self.directory / "php-fpm.conf"
        configuration.write_text(text)
        return ["php-fpm8.2", "--nodaemonize", *(["--allow-to-run-as-root"] if os.geteuid() == 0 else []),
                "--fpm-config", str(configuration)]


def take_in(directory, where, kept, others):
    """nginx with a site for each application. The stack's own site is that of the server without a cache."""
    site = nginx.Nginx(where)
    site.ports[COMPUTED] = {scheme: int(where[f"{scheme.upper()}_PORT"]) for scheme in ("https", "http")}
    site.add(UNCHANGED, site.product_location("unchanged"),
             nginx.UPSTREAM.format(name="unchanged", socket=kept["FCGI_LISTEN"]))
    site.add(FASTAPI, nginx.PROXY.format(name="fastapi"),
             nginx.UPSTREAM.format(name="fastapi", socket=others.socket("fastapi")))
    site.add(PHP, nginx.FASTCGI.format(socket=others.socket("php"), script=ROOT / "bench/php/index.php"))
    constant = Path(directory) / "constant"
    constant.mkdir(exist_ok=True)
    site.add(CONSTANT, nginx.CONSTANT.format(directory=constant))
    site.apply()
    return site, constant
