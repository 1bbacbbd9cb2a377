"""The HTTP API: reads what is known, never waits for what is watched."""

from dozor.api.backend import Access, Backend
from dozor.api.router import PREFIX, PROBES, Pages, build_probes, build_router, create_app

__all__ = ["PREFIX", "PROBES", "Access", "Backend", "Pages", "build_probes", "build_router", "create_app"]
