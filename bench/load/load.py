"""Runs wrk with a clinic's mix of requests against a running stack, and renews its tokens meanwhile."""

import base64
import json
import os
import re
import resource
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MIX = Path(__file__).with_name("mix.lua")
DEMO = ("org_demo_1", "org_demo_2", "org_demo_3")
MARK = "\nroute "


def fail(text):
    sys.exit(f"error: {text}")


def setting(name, default=""):
    return os.environ.get(name) or default


def number(name, default, least, most):
    text = setting(name, str(default))
    if not re.fullmatch(r"[0-9]{1,9}", text) or not least <= int(text) <= most:
        fail(f'{name}: "{text}" is not a whole number from {least} to {most}')
    return int(text)


def duration():
    text = setting("DURATION", "30s")
    if not (found := re.fullmatch(r"([1-9][0-9]{0,5})([smh]?)", text)):
        fail(f'DURATION: "{text}" is not a time such as 30s, 5m or 1h')
    return int(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[found[2]]


class Local:
    """The stack of this clone: its address, its key, and whether its rows are the demo's."""

    def __init__(self):
        environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
        done = subprocess.run([ROOT / "scripts/stack", "env"], capture_output=True, text=True, env=environment)
        self.settings = dict(line.split("=", 1) for line in done.stdout.splitlines())
        if done.returncode or not self.settings.get("HTTPS_PORT"):
            fail("no stack is up here: `make up` starts one, or BASE_URL names another")
        self.base = f"https://localhost:{self.settings['HTTPS_PORT']}"
        self.authority = self.settings["CA_FILE"]
        self.subjects = number("SUBJECTS", 40, 1, 10000)

    def is_of_the_demo(self):
        """Whether the stack noted its private cluster at the server's start. The process's environment is not readable."""
        noted = Path(self.settings["STACK_DIR"]) / "state/serves"
        return noted.is_file() and noted.read_text() == "the private cluster\n"

    def tokens(self):
        lifetime = str(number("TOKEN_TTL", 600, 1, 315360000))
        return [token for organization in DEMO for token in output_of(
            [ROOT / "scripts/token"], ORG=organization, TOKEN_TTL=lifetime, SUBJECTS=str(self.subjects))]


class Elsewhere:
    """Another deployment, named by BASE_URL."""

    def __init__(self, base):
        if not re.fullmatch(r"https?://[^\s/?#]+(/[^\s?#]*)?", base):
            fail(f'BASE_URL: "{base}" is not an address such as https://api.example.com')
        if not setting("TOKEN") and not setting("TOKEN_COMMAND"):
            fail("with BASE_URL, TOKEN is a session token, or TOKEN_COMMAND a command that prints one a line")
        self.base, self.authority = base.rstrip("/"), setting("CA_FILE") or None

    @staticmethod
    def is_of_the_demo():
        return False

    @staticmethod
    def tokens():
        return output_of(["sh", "-c",
                          setting("TOKEN_COMMAND")]) if setting("TOKEN_COMMAND") else setting("TOKEN").split()


def output_of(command, **environment):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                          env={**os.environ, **environment})
    if done.returncode or not done.stdout.strip():
        raise ChildProcessError(
            f"the command that prints tokens ended with {done.returncode} and {len(done.stdout)} characters"
        )
    return done.stdout.split()


def claims_of(token):
    """The claims of a token, without a check of the signature."""
    try:
        part = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        organization = claims["o"]["id"] if claims.get("v") == 2 else claims["org_id"]
        return organization, float(claims["exp"]), claims.get("sub")
    except (IndexError, KeyError, TypeError, ValueError):
        fail("a token is no session token with an active organization")


class Asker:

    def __init__(self, place):
        self.base = place.base
        try:
            context = ssl.create_default_context(cafile=place.authority)
        except OSError as error:
            fail(f"CA_FILE {place.authority}: {error.strerror}")
        self.open = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context)).open

    def get(self, organization, path, token):
        address = f"{self.base}/api/v1/reengagement/{quoted(organization)}/{path}"
        request = urllib.request.Request(address, headers={"Authorization": f"Bearer {token}"})
        for attempt in range(10):
            try:
                with self.open(request, timeout=30) as answer:
                    return json.load(answer)
            except urllib.error.HTTPError as error:
                if error.code not in (429, 503) or attempt == 9:
                    fail(f"{address} answers {error.code}: {type_of(error)}")
                time.sleep(pause_of(error.headers.get("Retry-After")))
            except (OSError, ValueError) as error:
                fail(f"{address}: {getattr(error, 'reason', error)}")


def pause_of(text):
    return min(int(text), 10) if (text or "").isdigit() else 1


def type_of(error):
    try:
        problem = json.load(error)
        return f"{problem.get('type', 'no type')} ({problem.get('title', 'no title')})"
    except (OSError, ValueError, AttributeError):
        return "no problem document"


def quoted(text):
    return urllib.parse.quote(text, safe="")


def known_of(asker, tokens):
    """The patients of each organization for the requests, and a second page of its list."""
    lines = []
    for organization, token in {claims_of(token)[0]: token for token in reversed(tokens)}.items():
        patients = asker.get(organization, "patients/prioritized?limit=200", token)["patients"]
        lines += [f"patient\t{quoted(organization)}\t{quoted(each['id'])}" for each in patients]
        cursor = asker.get(organization, "patients/prioritized?limit=25", token)["summary"]["next_cursor"]
        lines += [f"cursor\t{quoted(organization)}\t{quoted(cursor)}"] if cursor else []
    return lines


class Plan:
    """Writes the file for wrk's threads: replaced atomically, readable by its owner only."""

    def __init__(self, path, known, writes):
        self.path, self.rest, self.generation = path, [f"writes\t{int(writes)}", *known], 0

    def write(self, tokens):
        self.generation += 1
        lines = [f"generation\t{self.generation}"]
        lines += [f"token\t{quoted(claims_of(token)[0])}\t{token}" for token in tokens]
        new = self.path.with_suffix(".new")
        new.touch(mode=0o600)
        new.write_text("\n".join([*lines, *self.rest]) + "\n")
        new.replace(self.path)
        self.renew_at = time.time() + (min(claims_of(token)[1] for token in tokens) - time.time()) / 2


def threads_for(connections):
    """The most threads that divide the connections evenly, at most one for each processor. wrk drops a remainder."""
    most = min(len(os.sched_getaffinity(0)), connections)
    return next(count for count in range(most, 0, -1) if connections % count == 0)


def run(place, plan, seconds, connections):
    """Runs wrk and the renewal of tokens. Hides wrk's output before the table."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1], ) * 2)
    command = ["wrk", f"-t{threads_for(connections)}", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s"]
    command += ["-s", MIX, place.base, "--", plan.path]
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        try:
            while process.poll() is None:
                try:
                    process.wait(min(1, max(plan.renew_at - time.time(), 0.1)))
                except subprocess.TimeoutExpired:
                    renew(place, plan)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        output.seek(0)
        return process.returncode, output.read()


def renew(place, plan):
    if time.time() < plan.renew_at or (setting("TOKEN") and not setting("TOKEN_COMMAND")
                                       and isinstance(place, Elsewhere)):
        return
    try:
        plan.write(place.tokens())
    except ChildProcessError as error:
        print(f"no new token: {error}", file=sys.stderr)
        plan.renew_at = time.time() + 5


def advise(table, tokens, writes):
    subjects = len({claims_of(token)[2] for token in tokens})
    if " 429:" in table:
        print(
            f"\n429: RATE_LIMIT is for each token subject, of which there were {subjects}; `RATE_LIMIT=0 make up` has none, "
            "and a production nginx limits addresses too."
        )
    if writes and (logged := re.search(r"^log-outreach .*\b201: (\d+)", table, re.M)):
        remedy = "; `make demo` loads the demo anew without them" if writes == "demo" else ""
        print(f"\n{logged[1]} contacts were logged{remedy}.")


def main():
    seconds, connections = duration(), number("CONNECTIONS", 32, 1, 100000)
    place = Elsewhere(setting("BASE_URL")) if setting("BASE_URL") else Local()
    asked = setting("WRITES")
    if asked not in ("", "0", "1"):
        fail(f'WRITES: "{asked}" is neither 0 nor 1')
    writes = asked == "1" or (asked == "" and place.is_of_the_demo())
    try:
        tokens = place.tokens()
    except ChildProcessError as error:
        fail(str(error))
    organizations = {claims_of(token)[0] for token in tokens}
    soonest = min(claims_of(token)[1] for token in tokens)
    if not setting("TOKEN_COMMAND") and isinstance(place, Elsewhere) and soonest < time.time() + seconds:
        fail(
            f"TOKEN expires in {soonest - time.time():.0f} s, before the end: give TOKEN_COMMAND instead, which is asked again"
        )
    known = known_of(Asker(place), tokens)
    print(
        f"{place.base}: {seconds} s, {connections} connections, organizations: {len(organizations)}, tokens: {len(tokens)}; "
        + ("contacts are logged" if writes else "no contacts are logged (WRITES=1 does)"),
        flush=True,
    )
    with tempfile.TemporaryDirectory(prefix="reengagement-load.") as folder:
        plan = Plan(Path(folder) / "plan", known, writes)
        plan.write(tokens)
        status, output = run(place, plan, seconds, connections)
    if status or MARK not in output:
        fail(f"wrk ended with {status}:\n{output}")
    table = output[output.index(MARK):].rstrip()
    print(table)
    advise(table, tokens, writes and ("demo" if place.is_of_the_demo() else "own"))


if __name__ == "__main__":
    main()
