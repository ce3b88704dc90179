"""An HTTP/2 client for several requests on one connection and for headers that no library would send."""

import socket

import h2.config
import h2.connection
import h2.events

from client import Response

CONFIGURATION = h2.config.H2Configuration(header_encoding="utf-8",
                                          validate_outbound_headers=False,
                                          normalize_outbound_headers=False)


class Connection:

    def __init__(self, client):
        client.context.set_alpn_protocols(["h2"])
        try:
            plain = socket.create_connection(("127.0.0.1", client.port), timeout=client.timeout)
            self.channel = client.context.wrap_socket(plain, server_hostname="localhost")
        finally:
            client.context.set_alpn_protocols(["http/1.1"])
        self.protocol, self.answers, self.ended = h2.connection.H2Connection(CONFIGURATION), {}, set()
        self.protocol.initiate_connection()
        self.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.channel.close()

    def flush(self):
        self.channel.sendall(self.protocol.data_to_send())

    def send(self, method, target, headers=(), body=None, authority="localhost"):
        """Sends a request and returns its stream's number."""
        stream = self.protocol.get_next_available_stream_id()
        head = [(":method", method), (":scheme", "https"), (":authority", authority), (":path", target)]
        body = body.encode() if isinstance(body, str) else body
        self.protocol.send_headers(stream, head + [(name.lower(), value) for name, value in headers],
                                   end_stream=body is None)
        if body is not None:
            self.protocol.send_data(stream, body, end_stream=True)
        self.flush()
        self.answers[stream] = ([], bytearray())
        return stream

    def answer(self, stream):
        """Reads until the stream has ended. The connection must stay open until then."""
        while stream not in self.ended:
            data = self.channel.recv(65536)
            assert data, "the connection was closed"
            for event in self.protocol.receive_data(data):
                assert not isinstance(event, h2.events.ConnectionTerminated), f"the connection was ended: {event}"
                # Without an error code the reset only stops the rest of the request body (RFC 9113, 8.1).
                assert not (isinstance(event, h2.events.StreamReset)
                            and event.error_code), f"the stream was reset: {event}"
                if isinstance(event, h2.events.ResponseReceived):
                    self.answers[event.stream_id][0].extend(event.headers)
                elif isinstance(event, h2.events.DataReceived):
                    self.answers[event.stream_id][1].extend(event.data)
                elif isinstance(event, h2.events.StreamEnded):
                    self.ended.add(event.stream_id)
            self.flush()
        headers, body = self.answers[stream]
        status, = [int(value) for name, value in headers if name == ":status"]
        return Response(status, [pair for pair in headers if not pair[0].startswith(":")], bytes(body))


def ask(client, method, target, headers=(), body=None):
    """Sends one request on its own connection."""
    with Connection(client) as connection:
        return connection.answer(connection.send(method, target, headers, body))
