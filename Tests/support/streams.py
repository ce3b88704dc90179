"""Followers of the live streams, which reopen a stream as docs/live.md asks of a client."""

import json
import socket
import ssl
import threading
import time
from pathlib import Path

import live

SILENCE = 40
TRANSPORTS = {"event stream": live.Listener, "web socket": live.WebSocket}


class Refused(Exception):

    def __init__(self, status):
        super().__init__(f"the stream was refused with {status}")
        self.status = status


def messages(port, context, kind, organization, token, after):
    """Yields the messages of a stream through nginx."""
    channel = context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=SILENCE))
    with channel:
        target = live.path(organization, "" if after is None else f"?after={after}")
        if kind is live.WebSocket:
            stream = kind(channel, target, token=token)
        else:
            stream = kind(channel, target, {"Authorization": f"Bearer {token}"}, version="HTTP/1.0")
        if stream.status not in (101, 200):
            raise Refused(stream.status)
        while True:
            yield stream.message()


class Follower(threading.Thread):
    """Follows an organization's notices until it is stopped, and writes each one to a file."""

    def __init__(self, stack, organization, transport, file, token_lifetime=60, longest_wait=1.0):
        super().__init__(name=f"{transport} of {organization}", daemon=True)
        self.port, self.signer = int(stack.settings["HTTPS_PORT"]), stack.signer
        self.context = ssl.create_default_context(cafile=stack.settings["CA_FILE"])
        self.context.check_hostname = False
        self.organization, self.kind, self.file = organization, TRANSPORTS[transport], Path(file)
        self.token_lifetime, self.longest_wait = token_lifetime, longest_wait
        self.subject = f"user_{threading.get_ident()}_{transport.replace(' ', '_')}"
        self.last, self.opened, self.endings, self.fault = None, 0, [], None
        self.is_stopped, self.is_listening = threading.Event(), threading.Event()

    def run(self):
        try:
            with self.file.open("a", buffering=1) as file:
                while not self.is_stopped.is_set():
                    self.follow(file)
        except Exception as error:  # a test reads it: the thread has nobody to raise it to
            self.fault = error

    def follow(self, file):
        token = self.signer.token(self.organization, sub=self.subject, exp=int(time.time()) + self.token_lifetime)
        wait = 0.05
        try:
            for message in messages(self.port, self.context, self.kind, self.organization, token, self.last):
                if self.is_stopped.is_set():
                    return
                wait = self.hear(message, file)
                if message["type"] == "bye":
                    break
        except Refused as error:
            self.endings.append(f"refused {error.status}")
            assert error.status in (429, 502, 503, 504), error
        except (OSError, EOFError) as error:  # nginx, the server or the network: a client outlives all of them
            self.endings.append(type(error).__name__)
        finally:
            self.is_listening.clear()
        self.is_stopped.wait(min(wait, self.longest_wait))

    def hear(self, message, file):
        """Returns how long to wait before the stream is opened again, should it end now."""
        kind = message["type"]
        if kind == "hello":
            self.opened += 1
            self.last = message["sequence"] if self.last is None else self.last
            self.is_listening.set()
        elif kind == "notice":
            self.last = message["sequence"]
            file.write(json.dumps([message[name] for name in ("sequence", "kind", "cause", "day", "number")]) + "\n")
        elif kind == "reset":
            raise AssertionError(f"{self.name} was reset after {self.last}")
        elif kind == "bye":
            self.endings.append(f"bye {message['reason']}")
            return message["retry_ms"] / 1000
        return 0.05

    def stop(self):
        """The thread ends with its next message, which a heartbeat brings."""
        self.is_stopped.set()
        self.join(2 * SILENCE)
        assert not self.is_alive(), f"{self.name} does not end"

    def heard(self):
        """The notices in the order in which they were first heard."""
        seen, notices = set(), []
        for line in self.file.read_text().splitlines():
            notice = json.loads(line)
            if notice[0] not in seen:
                seen.add(notice[0])
                notices.append(notice)
        return notices
