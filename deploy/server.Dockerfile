# The server, built with the toolchain of swift.org and run on plain Debian.
#
#   docker build -f deploy/server.Dockerfile -t reengagement-api .

# compose names exact ones, from .env.
ARG DEBIAN_IMAGE=debian:bookworm-slim
ARG SWIFT_IMAGE=swift:6.2-bookworm

FROM ${SWIFT_IMAGE} AS sources

RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        pkg-config libfcgi-dev libpq-dev libjwt-dev libssl-dev libcurl4-openssl-dev

WORKDIR /src
COPY Package.swift ./
# The manifest names the tests' folders, so they must be there. The tests themselves are not, nor is any script: a change
# of theirs compiles nothing.
RUN for name in $(grep -o 'testTarget(name: "[A-Za-z]*"' Package.swift | cut -d '"' -f 2) Fuzz/Targets Fuzz; do \
        mkdir -p "Tests/$name" && touch "Tests/$name/CorpusTests.swift"; \
    done
COPY Sources Sources
# As scripts/build does; the symbols are half of the file.
RUN printf '%s\n' 'set -e' \
        'swift build --configuration release --static-swift-stdlib --product reengagement-api --scratch-path "$1" \' \
        '    --disable-local-rpath -Xlinker -z -Xlinker now -Xlinker -z -Xlinker noexecstack -Xswiftc -file-prefix-map -Xswiftc /src=/source' \
        'strip -o /reengagement-api "$1/release/reengagement-api"' \
        'chmod 755 /reengagement-api' \
        'install -m 644 Package.resolved /Package.resolved' >/build.sh

# BuildKit keeps what was compiled from one build to the next. The classic builder refuses cache mounts, so it must not
# come by here.
FROM sources AS build-kept
ONBUILD RUN --mount=type=cache,id=reengagement-api-build,target=/build,sharing=locked sh /build.sh /build

FROM sources AS build

# Only BuildKit sets TARGETOS.
FROM build${TARGETOS:+-kept} AS built
RUN [ -x /reengagement-api ] || sh /build.sh /build

FROM ${DEBIAN_IMAGE} AS runtime

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

COPY --from=built /reengagement-api /usr/local/bin/
# What it was linked with, for scripts/sbom-image.
COPY --from=built /Package.resolved /usr/share/reengagement-api/
COPY deploy/start-server /usr/local/bin/
# Modes are those of a clone, whose umask may be 077.
RUN chmod 755 /usr/local/bin/start-server /usr/share/reengagement-api

ARG VERSION=unknown
LABEL org.opencontainers.image.title="Reengagement API: server" \
    org.opencontainers.image.description="FastCGI server that tells a clinic which patients are slipping away" \
    org.opencontainers.image.version="${VERSION}"

# The socket gets this group and mode 0660, so nginx's workers reach it and nobody else.
# The number is that of nginx/containers/nginx.Dockerfile.
USER reengagement-api:reengagement-socket
ENV FCGI_LISTEN=/run/reengagement-api/reengagement.sock SWIFT_BACKTRACE=enable=no

# Whether it answers, not whether the database does: a restart would not mend that. The compose files say the same, since
# images of OCI's format carry no health check.
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s --retries=3 CMD ["start-server", "healthy"]

# It drains within 10 s of SIGTERM: give it as long (docker stop --time 15).
STOPSIGNAL SIGTERM
ENTRYPOINT ["start-server"]
