"""An application with all that may stand between Dozor's stream and its reader, and a cache whose Redis is not there."""

from fastapi import FastAPI
from fastapi.middleware.gzip import GZipMiddleware
from sqlalchemy import create_engine

from dozor import Dozor, ResponseCacheMiddleware

app = FastAPI(title="streamed")
app.add_middleware(GZipMiddleware, minimum_size=1)
app.add_middleware(ResponseCacheMiddleware, redis="redis://127.0.0.1:1")
Dozor(engine=create_engine("sqlite://")).install(app)
