"""Servers of a test's own between a client and a real one, or in its place."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any


class Line:
    """A TCP line to a server, which can be slow, or be cut after so many bytes."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.url = ""
        self.connections = 0
        self.delay_seconds = 0.0
        self.bytes_left: int | None = None

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Line"]:
        async with listening(self.carry) as port:
            self.url = f"redis://127.0.0.1:{port}"
            yield self

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(reader, upstream_writer))
                group.create_task(self._answers(upstream_reader, writer))
        except* OSError:
            pass
        finally:
            upstream_writer.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def _answers(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            await asyncio.sleep(self.delay_seconds)
            if self.bytes_left is not None:
                data, self.bytes_left = data[: self.bytes_left], max(0, self.bytes_left - len(data))
            writer.write(data)
            await writer.drain()
            if self.bytes_left == 0:
                break
        writer.close()


@asynccontextmanager
async def listening(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
    path: str = "",
    *,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[int]:
    """Have *serve* serve at *path*, or at a port of 127.0.0.1, which is what this gives."""
    tasks: set[asyncio.Task[Any]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await serve(reader, writer)
        except asyncio.CancelledError:
            pass
        finally:
            writer.close()

    server = await (
        asyncio.start_unix_server(accept, path) if path else asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    )
    try:
        yield 0 if path else server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
