# nginx with the production configuration, or the local one.
#
#   docker build -f nginx/containers/nginx.Dockerfile -t reengagement-nginx .
#
# With STACK_NGINX=local it uses the configuration of `make run`, and production.conf otherwise. Mount the certificate's
# chain and key as /etc/nginx/tls/fullchain.pem and privkey.pem. Without them, the start creates a certificate for
# localhost. SERVER_NAME has the API's names (localhost). With DASHBOARD=1 the dashboard page is at /.

# compose sets an exact version from .env.
ARG DEBIAN_IMAGE=debian:bookworm-slim
FROM ${DEBIAN_IMAGE}

RUN apt-get update \
    && apt-get install -y --no-install-recommends nginx openssl libjs-chart.js \
    && rm -rf /var/lib/apt/lists/* /etc/nginx/* /var/www/html \
    && groupadd --system --gid 10001 reengagement-socket \
    && install -d -m 750 /etc/nginx/tls \
    && install -d -m 750 -o 10001 -g reengagement-socket /run/reengagement-api \
    && install -d -o 10002 /run/reengagement-tokens \
    && ln -sf /dev/stdout /var/log/nginx/access.log \
    && ln -sf /dev/stderr /var/log/nginx/error.log

COPY nginx/production.conf nginx/local.conf nginx/cors-origins.map /opt/reengagement/nginx/
COPY nginx/snippets /opt/reengagement/nginx/snippets
COPY nginx/site /opt/reengagement/nginx/site
COPY pages/dashboard /usr/share/reengagement-api/site/dashboard
COPY scripts/lib/common.bash scripts/lib/nginx-configuration.bash /opt/reengagement/scripts/lib/
COPY nginx/containers/start-nginx /opt/reengagement/nginx/containers/
# A clone with umask 077 has files that other users cannot read.
RUN chmod -R a+rX,go-w /opt/reengagement /usr/share/reengagement-api

ARG VERSION=unknown
LABEL org.opencontainers.image.title="Reengagement API: nginx" \
    org.opencontainers.image.description="TLS, limits and the dashboard page in front of the server" \
    org.opencontainers.image.version="${VERSION}"

EXPOSE 80 443

# The compose files repeat this, because images in OCI format cannot contain a health check.
HEALTHCHECK --interval=5s --timeout=5s --start-period=30s --retries=3 \
    CMD ["/opt/reengagement/nginx/containers/start-nginx", "check"]

# SIGQUIT finishes the current requests. SIGTERM would abort them.
STOPSIGNAL SIGQUIT
ENTRYPOINT ["/opt/reengagement/nginx/containers/start-nginx"]
