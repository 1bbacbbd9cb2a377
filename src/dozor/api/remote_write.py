"""write: where a Prometheus sends series to (`remote_write` in its configuration)."""

from typing import Final

from fastapi import APIRouter, Request, Response

from dozor.api.auth import gate, guards, read_body
from dozor.api.backend import Backend
from dozor.api.problems import Problem
from dozor.store.remote_write import PACKED_LIMIT_BYTES
from dozor.store.wire import WireError

_CONTENT_TYPE: Final = "application/x-protobuf"
_VERSION_1: Final = "prometheus.writerequest"


def add_routes(router: APIRouter, backend: Backend) -> None:
    """POST /write. Its guards are its own: what is sent may be longer than other bodies."""

    @router.post(
        "/write",
        status_code=204,
        include_in_schema=False,
        dependencies=guards(gate(backend.access, PACKED_LIMIT_BYTES), backend.access),
    )
    async def write(request: Request) -> Response:
        if not backend.access.remote_write:
            raise Problem(404, "Dozor takes no series here: set DOZOR_REMOTE_WRITE=1 to let others write them.")
        _check_format(request)
        try:
            await backend.receive(await read_body(request, PACKED_LIMIT_BYTES))
        except WireError as error:
            raise Problem(400, f"The body cannot be read: {error}.") from None
        return Response(status_code=204)


def _check_format(request: Request) -> None:
    """Raise a Problem (415) for what is not remote write 1.0; senders of 2.0 then fall back to it."""
    kind, _, parameters = request.headers.get("content-type", "").partition(";")
    _, _, proto = parameters.strip().partition("proto=")
    if kind.strip().lower() != _CONTENT_TYPE or proto.strip().lower() not in {"", _VERSION_1}:
        raise Problem(415, "Send remote write 1.0: Content-Type application/x-protobuf.")
    if request.headers.get("content-encoding", "").strip().lower() != "snappy":
        raise Problem(415, "Send remote write 1.0: Content-Encoding snappy.")
