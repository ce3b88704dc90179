# Prometheus with the API's scrape configuration and rules, for the profile `monitoring`.

# compose sets an exact version from .env.
ARG PROMETHEUS_IMAGE=prom/prometheus:latest
FROM ${PROMETHEUS_IMAGE}

COPY docs/monitoring/alerts.yml nginx/containers/monitoring/prometheus.yml /etc/prometheus/
# A clone with umask 077 has files that other users cannot read.
USER root
RUN chmod 755 /etc/prometheus && chmod 644 /etc/prometheus/alerts.yml /etc/prometheus/prometheus.yml
USER nobody
ENTRYPOINT ["/bin/prometheus", "--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus", \
    "--storage.tsdb.retention.time=15d"]
CMD []
