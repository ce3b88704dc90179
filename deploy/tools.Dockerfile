# The tools that prepare a database: sql/ and psql, and for local use demo data, a key
# pair and tokens.
#
#   docker build -f deploy/tools.Dockerfile -t reengagement-tools .

# compose sets an exact version from .env.
ARG DEBIAN_IMAGE=debian:bookworm-slim
FROM ${DEBIAN_IMAGE}

RUN apt-get update \
    && apt-get install -y --no-install-recommends openssl postgresql-client-15 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10002 --no-create-home --shell /usr/sbin/nologin tools \
    && install -d -m 755 -o tools /var/lib/reengagement /run/reengagement-server /run/reengagement-tokens

COPY sql /opt/reengagement/sql
COPY scripts/token /opt/reengagement/scripts/
COPY scripts/lib/common.bash scripts/lib/keys.bash scripts/lib/pages.bash /opt/reengagement/scripts/lib/
COPY deploy/prepare /opt/reengagement/deploy/
# A clone with umask 077 has files that other users cannot read.
RUN chmod -R a+rX,go-w /opt/reengagement

ARG VERSION=unknown
LABEL org.opencontainers.image.title="Reengagement API: tools" \
    org.opencontainers.image.description="Migrates a database, loads demo data, prints development tokens" \
    org.opencontainers.image.version="${VERSION}"

USER tools
ENV STACK_DIR=/var/lib/reengagement
ENTRYPOINT ["/opt/reengagement/deploy/prepare"]
