# The server, built with the toolchain of swift.org and run on plain Debian.
#
#   docker build -f nginx/server.Dockerfile -t reengagement-api .

FROM swift:6.2-bookworm AS build

RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        pkg-config libfcgi-dev libpq-dev libjwt-dev libssl-dev libcurl4-openssl-dev

WORKDIR /src
COPY Package.swift ./
COPY Sources Sources
# The manifest names the tests' folders, so they must be there.
COPY Tests Tests
COPY scripts scripts
# Swift's runtime is linked in; the symbols are half of the file.
RUN scripts/build && strip .build/release/reengagement-api

FROM debian:bookworm-slim AS runtime

# The libraries of ARCHITECTURE.md's lowest floor, the authorities that a JWKS is
# fetched with, and a FastCGI client for the health check.
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        ca-certificates libcurl4 libfcgi-bin libfcgi0ldbl libjwt0 libpq5 libssl3 \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/debconf/*-old /var/log/*.log /var/log/apt \
        /usr/share/doc/* /usr/share/man/* \
    && groupadd --system --gid 10001 reengagement-socket \
    && useradd --system --uid 10001 --gid reengagement-socket --no-create-home --shell /usr/sbin/nologin reengagement-api \
    && install -d -m 750 -o reengagement-api -g reengagement-socket /run/reengagement-api

COPY --from=build /src/.build/release/reengagement-api /usr/local/bin/

# The socket gets this group and mode 0660, so nginx's workers reach it and nobody else.
# The number is that of nginx/Dockerfile.
USER reengagement-api:reengagement-socket
ENV FCGI_LISTEN=/run/reengagement-api/reengagement.sock SWIFT_BACKTRACE=enable=no

# Whether it answers, not whether the database does: a restart would not mend that.
HEALTHCHECK --interval=10s --timeout=5s --start-period=5s --retries=3 \
    CMD REQUEST_METHOD=GET REQUEST_URI=/health cgi-fcgi -bind -connect "$FCGI_LISTEN" | grep -q '^Status: 200'

# It drains within 10 s of SIGTERM: give it as long (docker stop --time 15).
STOPSIGNAL SIGTERM
ENTRYPOINT ["reengagement-api"]
