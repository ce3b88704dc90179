# Grafana with the API's dashboard, for the profile `monitoring`.

# compose sets an exact version from .env.
ARG GRAFANA_IMAGE=grafana/grafana:latest
FROM ${GRAFANA_IMAGE}

COPY nginx/containers/monitoring/datasource.yml /etc/grafana/provisioning/datasources/reengagement.yml
COPY nginx/containers/monitoring/dashboards.yml /etc/grafana/provisioning/dashboards/reengagement.yml
COPY docs/monitoring/dashboard.json /etc/grafana/dashboards/reengagement.json
# A clone with umask 077 has files that other users cannot read.
USER root
RUN chmod -R a+rX /etc/grafana/provisioning /etc/grafana/dashboards
USER grafana
