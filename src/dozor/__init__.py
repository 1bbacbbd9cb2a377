"""Monitoring for Python web backends."""
