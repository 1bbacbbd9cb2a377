"""Prometheus' HTTP API over Dozor's store: Grafana and promtool ask it, and get the numbers that Prometheus would give."""

from dozor.api.prometheus.envelope import PrometheusRoute
from dozor.api.prometheus.routes import PATH, add_routes

__all__ = ["PATH", "PrometheusRoute", "add_routes"]
