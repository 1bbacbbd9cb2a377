"""Prometheus' HTTP API over Dozor's store: Grafana and promtool ask it, and get the numbers that Prometheus would give."""
