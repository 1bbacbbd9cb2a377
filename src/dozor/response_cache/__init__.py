"""Responses of slow GET handlers, kept in Redis by the rules of HTTP caching (RFC 9111).

    app.add_middleware(ResponseCacheMiddleware, redis="redis://localhost:6379/0")

    @app.get("/products")
    async def products(response: Response) -> list[Product]:
        response.headers["Cache-Control"] = "max-age=30"

A request never fails and never waits long because of the cache: where Redis is slow, full or gone the handler answers,
as it would without this.
"""

from dozor.response_cache.metrics import METRICS, ResponseCacheMetrics
from dozor.response_cache.middleware import ResponseCacheMiddleware

__all__ = ["METRICS", "ResponseCacheMetrics", "ResponseCacheMiddleware"]
