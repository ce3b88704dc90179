"""wrk: more load than Python can make, and an independent count of failures."""

import re
import subprocess

from client import API

POST = """
local counter, base = 0, "%s-" .. tostring({}):sub(8) .. "-"
request = function()
  counter = counter + 1
  wrk.headers["Idempotency-Key"] = base .. counter
  return wrk.format("POST", nil, nil, '{"patient_id": "p1", "method": "sms", "outcome": "success"}')
end
"""
STATUSES = """
local threads, seen = {}, {}
counts = ""
function setup(thread) table.insert(threads, thread) end
function init(args) seen = {} counts = "" end
function response(status, headers)
  seen[status] = (seen[status] or 0) + 1
  if status ~= 200 and status ~= 201 and not headers["Retry-After"] then seen[-status] = (seen[-status] or 0) + 1 end
  counts = ""
  for k, v in pairs(seen) do counts = counts .. k .. "=" .. v .. " " end
end
function done() for _, t in ipairs(threads) do io.write("statuses " .. (t:get("counts") or "") .. "\\n") end end
"""


def seconds_of(text):
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text).groups()
    return float(number) * {"us": 1e-6, "ms": 1e-3, "s": 1, "m": 60}[unit]


class Wrk:
    """Starts wrk immediately. `result()` waits for its end."""

    def __init__(self, stack, clinic, folder, path="risk-metrics", seconds=5, connections=32, key=None, statuses=False):
        script = (POST % key if key else "") + (STATUSES if statuses else "")
        lua = folder / f"{key or 'get'}-{connections}.lua"
        lua.write_text(script)
        headers = {**stack.api.authorization(clinic.organization), "Content-Type": "application/json"}
        url = f"http://127.0.0.1:{stack.settings['HTTP_PORT']}" + API(None, None).target(clinic.organization, path)
        command = ["wrk", "-t2", f"-c{connections}", f"-d{round(seconds)}s", "--timeout", "25s", "--latency"]
        command += ["-s", str(lua)]
        command += [word for name, value in headers.items() for word in ("-H", f"{name}: {value}")]
        self.seconds = seconds
        self.process = subprocess.Popen([*command, url], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True)

    def result(self):
        output, _ = self.process.communicate(timeout=self.seconds + 60)
        assert self.process.returncode == 0, output
        self.output = output
        self.requests = int(re.search(r"(\d+) requests in", output).group(1))
        refused = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
        self.refused = int(refused.group(1)) if refused else 0
        errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", output)
        self.errors = sum(map(int, errors.groups())) if errors else 0
        self.slowest = seconds_of(re.search(r"Latency +\S+ +\S+ +(\S+)", output).group(1))
        self.statuses = {}
        for line in re.findall(r"^statuses (.*)$", output, re.M):
            for pair in line.split():
                status, count = pair.split("=")
                self.statuses[int(status)] = self.statuses.get(int(status), 0) + int(count)
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
