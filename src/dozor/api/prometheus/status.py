"""status/buildinfo: by it clients tell what they may ask."""

from typing import Final

from fastapi import Response

from dozor._version import __version__
from dozor.api.prometheus.backend import PrometheusBackend
from dozor.api.prometheus.envelope import respond, success
from dozor.api.prometheus.parameters import Parameters

SPOKEN_VERSION: Final = "2.55.0"
"""The release of Prometheus whose API this is. Grafana chooses by it what to ask."""


async def build_information(_backend: PrometheusBackend, _given: Parameters) -> Response:
    """The version of the API that is spoken here, and of Dozor."""
    return respond(
        success(
            {
                "version": SPOKEN_VERSION,
                "revision": f"dozor-{__version__}",
                "branch": "dozor",
                "buildUser": "",
                "buildDate": "",
                "goVersion": "",
            }
        )
    )
