# nginx with the production configuration, or the local one.
#
#   docker build -f nginx/containers/nginx.Dockerfile -t reengagement-nginx .
#
# STACK_NGINX=local is what `make run` uses. Otherwise it is production.conf: the certificate's chain and key are mounted
# as /etc/nginx/tls/fullchain.pem and privkey.pem; where there are none, one for localhost is made at the start. It
# answers for the names in SERVER_NAME (localhost). With DASHBOARD=1 the dashboard page is at /.

# compose names an exact one, from .env.
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
# Modes are those of a clone, whose umask may be 077.
RUN chmod -R a+rX,go-w /opt/reengagement /usr/share/reengagement-api

ARG VERSION=unknown
LABEL org.opencontainers.image.title="Reengagement API: nginx" \
    org.opencontainers.image.description="TLS, limits and the dashboard page in front of the server" \
    org.opencontainers.image.version="${VERSION}"

EXPOSE 80 443

# The compose files say the same, since images of OCI's format carry no health check.
HEALTHCHECK --interval=5s --timeout=5s --start-period=30s --retries=3 \
    CMD ["/opt/reengagement/nginx/containers/start-nginx", "check"]

# Requests under way are answered; TERM would cut them off.
STOPSIGNAL SIGQUIT
ENTRYPOINT ["/opt/reengagement/nginx/containers/start-nginx"]
