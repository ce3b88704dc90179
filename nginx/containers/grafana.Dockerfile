# Grafana with our dashboard on Prometheus, for the profile `monitoring`.

# compose names an exact one, from .env.
ARG GRAFANA_IMAGE=grafana/grafana:latest
FROM ${GRAFANA_IMAGE}

COPY nginx/containers/monitoring/datasource.yml /etc/grafana/provisioning/datasources/reengagement.yml
COPY nginx/containers/monitoring/dashboards.yml /etc/grafana/provisioning/dashboards/reengagement.yml
COPY docs/monitoring/dashboard.json /etc/grafana/dashboards/reengagement.json
# Modes are those of a clone, whose umask may be 077.
USER root
RUN chmod -R a+rX /etc/grafana/provisioning /etc/grafana/dashboards
USER grafana
