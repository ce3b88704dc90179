"""A site and its surroundings: a certificate authority, a database with TLS, a token issuer and remote clients."""

import json
import os
import re
import shlex
import subprocess
import time
from pathlib import Path

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from containers import Containers, docker, eventually, run

NAME = "api.site.test"
ISSUER = "https://clerk.site.test"
ORGANIZATION = "org_site"
# The passwords have all characters that are special in a URL, a shell, SQL or compose. The logs are searched for the
# first words.
OWNER_PASSWORD = "the-owners-secret p@ss/w%rd: #'\"\\ $HOME ?& "
SERVER_PASSWORD = "the-servers-secret p@ss/w%rd: #'\"\\ ${X} ?&"
SECRETS = ("the-owners-secret", "the-servers-secret")


def gateway():
    """The address of this machine inside a container."""
    return docker("network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Gateway}}").strip()


class Authority:
    def __init__(self, folder, name="authority"):
        folder.mkdir(parents=True)
        folder.chmod(0o755)
        self.folder, self.certificate = folder, folder / "authority.pem"
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
            "30",
            "-subj", f"/CN={name}", "-keyout", folder / "authority.key", "-out", self.certificate)
        self.certificate.chmod(0o644)

    def issue(self, folder, *names, chain="fullchain.pem", key="privkey.pem", days=90):
        """Writes the chain and the key to a folder, and returns the serial number in openssl's form."""
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)
        extensions = folder / "extensions"
        extensions.write_text("extendedKeyUsage=serverAuth\nsubjectAltName=" + ",".join(
            ("IP:" if re.fullmatch(r"[\d.]+", name) else "DNS:") + name for name in names))
        run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj",
            f"/CN={names[0]}",
            "-keyout", folder / key, "-out", folder / "request")
        run("openssl", "x509", "-req", "-in", folder / "request", "-CA", self.certificate, "-CAkey",
            self.folder / "authority.key",
            "-CAcreateserial", "-days", days, "-extfile", extensions, "-out", folder / chain)
        (folder / key).chmod(0o600)
        (folder / "request").unlink()
        extensions.unlink()
        return run("openssl", "x509", "-in", folder / chain, "-noout", "-serial").strip()


class Database:
    """A PostgreSQL outside the project, which listens on an address of this machine and requires TLS."""

    def __init__(self, folder, authority, image):
        authority.issue(folder, "db.site.test", gateway(), chain="server.pem", key="server.key")
        run("chown", "999:999", folder / "server.key")
        (folder / "pg_hba.conf").write_text("local all all trust\nhostssl all all all scram-sha-256\n")
        self.name = docker("run", "-d", "-p", f"{gateway()}::5432", "-v", f"{folder}:/tls:ro", "-e",
                           "POSTGRES_PASSWORD=x", "-e", "POSTGRES_DB=other", image,
                           "postgres", "-c", "ssl=on", "-c", "ssl_cert_file=/tls/server.pem", "-c",
                           "ssl_key_file=/tls/server.key",
                           "-c", "hba_file=/tls/pg_hba.conf").strip()
        eventually("PostgreSQL accepts connections", lambda: docker("exec", self.name, "pg_isready", "-h", "127.0.0.1"))
        self.port = docker("port", self.name, "5432").split(":")[-1].strip()

    def sql(self, statement, database="reengagement"):
        return docker("exec", self.name, "psql", "-U", "postgres", "-d", database, "-v", "ON_ERROR_STOP=1", "-Atc",
                      statement).strip()

    def login(self, user, password):
        docker("exec", "-e", f"PGPASSWORD={password}", self.name, "psql", "-d",
               f"host=127.0.0.1 sslmode=require user={user} dbname=reengagement",
               "-c", "SELECT 1")

    def url(self, user, host="db.site.test", **others):
        """The host name is checked against the certificate. `hostaddr` replaces its lookup in a DNS."""
        address = {} if re.fullmatch(r"[\d.]+", host) else {"hostaddr": gateway()}
        parts = {"host": host, **address, "port": self.port, "dbname": "reengagement", "user": user,
                 "sslmode": "verify-full",
                 "sslrootcert": "/run/authorities/authority.pem", **others}
        return " ".join(f"{key}={value}" for key, value in parts.items())


class Clerk:
    """Issues tokens, and serves its keys over https."""

    def __init__(self, folder, authority, image):
        authority.issue(folder, gateway())
        self.key, self.folder = rsa.generate_private_key(public_exponent=65537, key_size=2048), folder
        (folder / "jwks.json").write_text(
            json.dumps(
                {
                    "keys": [
                        {
                            **json.loads(RSAAlgorithm.to_jwk(self.key.public_key())),
                            "kid": "one",
                            "use": "sig",
                            "alg": "RS256",
                        }
                    ]
                }
            )
        )
        (folder / "nginx.conf").write_text(
            "events {} http { server { listen 443 ssl; ssl_certificate /keys/fullchain.pem; ssl_certificate_key /keys/privkey.pem;"
            " location = /jwks.json { root /keys; default_type application/json; } } }"
        )
        self.name = docker("run", "-d", "-p", f"{gateway()}::443", "-v", f"{folder}:/keys:ro", "--entrypoint", "nginx",
                           image,
                           "-c", "/keys/nginx.conf", "-g", "daemon off;").strip()
        self.url = f"https://{gateway()}:{docker('port', self.name, '443').split(':')[-1].strip()}/jwks.json"

    def token(self, key=None, issuer=ISSUER):
        now = int(time.time())
        claims = {"iss": issuer, "sub": "user_site", "sid": "sess_site", "iat": now, "nbf": now - 10, "exp": now + 3600,
                  "v": 2,
                  "o": {"id": ORGANIZATION, "rol": "admin", "slg": "site"}}
        return jwt.encode(claims, key or self.key, algorithm="RS256", headers={"kid": "one"})


class Client:
    """A remote machine: a network namespace with its own address, connected by a virtual cable."""

    def __init__(self, number):
        self.process = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        self.at, self.address = f"198.51.100.{4 * number + 1}", f"198.51.100.{4 * number + 2}"
        self.at6, self.address6 = f"fd00:5173:{number}::1", f"fd00:5173:{number}::2"
        own = Path("/proc/self/ns/net").readlink()
        eventually("the network namespace exists", lambda: Path(f"/proc/{self.process.pid}/ns/net").readlink() != own)
        self.cable = f"elsewhere{number}"
        run("ip", "link", "add", self.cable, "type", "veth", "peer", "name", "eth0", "netns", self.process.pid)
        for within, device, *addresses in ((), self.cable, self.at,
                                           self.at6), (self.within, "eth0", self.address, self.address6):
            run(*within, "ip", "addr", "add", addresses[0] + "/30", "dev", device)
            run(*within, "ip", "-6", "addr", "add", addresses[1] + "/64", "dev", device, "nodad")
            run(*within, "ip", "link", "set", device, "up")

    @property
    def within(self):
        return ["nsenter", f"--net=/proc/{self.process.pid}/ns/net"]

    def close(self):
        run("ip", "link", "del", self.cable, status=None)
        self.process.kill()
        self.process.wait()


class Answer:
    def __init__(self, text):
        head, _, self.body = text.replace("\r\n", "\n").partition("\n\n")
        first, *lines = head.splitlines()
        self.status = int(first.split()[1])
        self.headers = dict((name.lower(), value)
                            for name, value in (line.split(": ", 1) for line in lines if ": " in line))


def filled_in(example, settings):
    """The example with an operator's values. Each variable must be in it exactly once."""
    for name, value in settings.items():
        example, count = re.subn(rf"(?m)^#?{name}=.*$", lambda _: f"{name}={shlex.quote(value)}", example)
        assert count == 1, f"{name} is {count} times in nginx/containers/.env.example"
    return example


class Site(Containers):
    """compose.site.yaml, with the settings of an env file."""

    def __init__(self, folder, command, settings, authority, env_file="nginx/containers/site.env"):
        super().__init__(folder, command, "nginx/containers/compose.site.yaml")
        self.settings, self.authority, self.env_file, self.environment = dict(settings), authority, env_file, {}
        self.settings.update(HTTPS_PORT=self.https, HTTP_PORT=self.http)
        self.write()

    def write(self, line_end="\n", **changed):
        """Writes the env file with changed settings. A value of None removes the setting."""
        self.settings.update(changed)
        text = filled_in((self.folder / "nginx/containers/.env.example").read_text(),
                         {name: value for name, value in self.settings.items() if value is not None})
        (self.folder / self.env_file).write_bytes(text.replace("\n", line_end).encode())

    def compose(self, *arguments, status=0, **environment):
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "DOCKER_HOST", "DOCKER_CONFIG", "TMPDIR")
                if name in os.environ}
        if self.command == ("docker-compose",):
            command = ["bash", "-c", f'set -a; . {self.env_file}; set +a; exec docker-compose -f {self.file} "$@"',
                       "--"]
        else:
            command = [*self.command, "--env-file", "nginx/containers/.env", "--env-file", self.env_file, "-f",
                       self.file]
        return run(*command, *arguments, status=status, cwd=self.folder, env={**kept, **environment})

    def migrate(self, *arguments, status=0):
        return self.compose("run", "--rm", "-T", "migrate", *arguments, status=status)

    def wait(self):
        eventually("the site is ready", lambda: self.ask("/ready").status == 200)

    def ask(self, path, *options, token=None, client=None, scheme="https", address=None):
        """A request with curl, from this machine or from a client."""
        port = self.https if scheme == "https" else self.http
        address = address or (client.at if client else "127.0.0.1")
        done = subprocess.run([*(client.within if client else ()), "curl", "-sS", "-i", "--noproxy", "*", "--max-time",
                               "30",
                               "--cacert", str(self.authority.certificate), "--resolve", f"{NAME}:{port}:[{address}]"
                               if ":" in address else f"{NAME}:{port}:{address}",
                               *(["-H", f"Authorization: Bearer {token}"] if token else ()), *options,
                               f"{scheme}://{NAME}:{port}{path}"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return Answer(done.stdout)

    def serial(self):
        """The serial number of the certificate in a new connection."""
        shown = run("openssl", "s_client", "-connect", f"127.0.0.1:{self.https}", "-servername", NAME, status=None)
        return subprocess.run(["openssl", "x509", "-noout", "-serial"], input=shown, capture_output=True, text=True,
                              check=True).stdout.strip()
