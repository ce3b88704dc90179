# What prepares a database: sql/, psql, and for local use demo data, a key pair and
# tokens.
#
#   docker build -f nginx/tools.Dockerfile -t reengagement-tools .

FROM debian:bookworm-slim

RUN apt-get update \
    && apt-get install -y --no-install-recommends openssl postgresql-client-15 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10002 --no-create-home --shell /usr/sbin/nologin tools \
    && install -d -m 755 -o tools /var/lib/reengagement

COPY sql /opt/reengagement/sql
COPY scripts/token /opt/reengagement/scripts/
COPY scripts/lib/common.bash scripts/lib/keys.bash /opt/reengagement/scripts/lib/
COPY nginx/container/prepare /opt/reengagement/nginx/container/

USER tools
ENV STACK_DIR=/var/lib/reengagement
ENTRYPOINT ["/opt/reengagement/nginx/container/prepare"]
