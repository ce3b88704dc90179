# The server, built with the toolchain of swift.org and run on plain Debian.
#
#   docker build -f deploy/server.Dockerfile -t reengagement-api .

# compose sets exact versions from .env.
ARG DEBIAN_IMAGE=debian:bookworm-slim
ARG SWIFT_IMAGE=swift:6.2-bookworm

FROM ${SWIFT_IMAGE} AS sources

RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        pkg-config libfcgi-dev libpq-dev libjwt-dev libssl-dev libcurl4-openssl-dev

WORKDIR /src
COPY Package.swift ./
# Package.swift names the tests' folders, so they must exist. The tests and scripts themselves are not copied, so that a
# change in them does not cause a new compilation.
RUN for name in $(grep -o 'testTarget(name: "[A-Za-z]*"' Package.swift | cut -d '"' -f 2) Fuzz/Targets Fuzz; do \
        mkdir -p "Tests/$name" && touch "Tests/$name/CorpusTests.swift"; \
    done
COPY Sources Sources
# The same commands as in scripts/build. Without `strip` the file would be twice as large.
RUN printf '%s\n' 'set -e' \
        'swift build --configuration release --static-swift-stdlib --product reengagement-api --scratch-path "$1" \' \
        '    --disable-local-rpath -Xlinker -z -Xlinker now -Xlinker -z -Xlinker noexecstack -Xswiftc -file-prefix-map -Xswiftc /src=/source' \
        'strip -o /reengagement-api "$1/release/reengagement-api"' \
        'chmod 755 /reengagement-api' \
        'install -m 644 Package.resolved /Package.resolved' >/build.sh

# BuildKit reuses compiled files in the next build. The classic builder refuses cache mounts, so it must not run this
# stage.
FROM sources AS build-kept
ONBUILD RUN --mount=type=cache,id=reengagement-api-build,target=/build,sharing=locked sh /build.sh /build

FROM sources AS build

# Only BuildKit sets TARGETOS.
FROM build${TARGETOS:+-kept} AS built
RUN [ -x /reengagement-api ] || sh /build.sh /build

FROM ${DEBIAN_IMAGE} AS runtime

# The libraries that ARCHITECTURE.md lists, the certificate authorities for fetching a
# JWKS, and a FastCGI client for the health check.
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        ca-certificates libcurl4 libfcgi-bin libfcgi0ldbl libjwt0 libpq5 libssl3 \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/debconf/*-old /var/log/*.log /var/log/apt \
        /usr/share/doc/* /usr/share/man/* \
    && groupadd --system --gid 10001 reengagement-socket \
    && useradd --system --uid 10001 --gid reengagement-socket --no-create-home --shell /usr/sbin/nologin reengagement-api \
    && install -d -m 750 -o reengagement-api -g reengagement-socket /run/reengagement-api \
    && install -d -m 700 -o reengagement-api -g reengagement-socket /var/lib/reengagement-outbox

COPY --from=built /reengagement-api /usr/local/bin/
# The versions of the linked packages, for scripts/sbom-image.
COPY --from=built /Package.resolved /usr/share/reengagement-api/
COPY deploy/start-server /usr/local/bin/
# A clone with umask 077 has files that other users cannot read.
RUN chmod 755 /usr/local/bin/start-server /usr/share/reengagement-api

ARG VERSION=unknown
LABEL org.opencontainers.image.title="Reengagement API: server" \
    org.opencontainers.image.description="FastCGI server that tells a clinic which patients are slipping away" \
    org.opencontainers.image.version="${VERSION}"

# The sockets get this group and mode 0660, so only nginx's workers reach them. The group's
# number must equal that in nginx/containers/nginx.Dockerfile.
USER reengagement-api:reengagement-socket
ENV FCGI_LISTEN=/run/reengagement-api/reengagement.sock LIVE_LISTEN=/run/reengagement-api/live.sock \
    SWIFT_BACKTRACE=enable=no

# Checks the server and not the database, which a restart of the server would not repair. The compose files repeat the
# check, because images in OCI format cannot contain one.
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s --retries=3 CMD ["start-server", "healthy"]

# The server finishes its requests within 10 s of SIGTERM. Allow it that time (docker stop --time 15).
STOPSIGNAL SIGTERM
ENTRYPOINT ["start-server"]
