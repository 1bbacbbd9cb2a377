"""A Flask application. WSGI has no place for Dozor's routes, so its own thread serves them.

pip install dozor flask
python examples/flask_app.py

Then http://127.0.0.1:8002/ is Dozor's page, and the application answers at http://127.0.0.1:5000/.
Under gunicorn or uWSGI, call `dozor.start()` in each worker, after the fork (gunicorn: `post_fork`).
"""

from flask import Flask
from sqlalchemy import create_engine, text
from sqlalchemy.pool import QueuePool

from dozor import Dozor

engine = create_engine("sqlite:///example.db", poolclass=QueuePool, pool_size=5, max_overflow=10)
app = Flask(__name__)
dozor = Dozor(engine=engine, name="flask-example", listen="127.0.0.1:8002")


@app.get("/")
def index() -> dict[str, int]:
    with engine.connect() as connection:
        return {"answer": connection.execute(text("SELECT 42")).scalar_one()}


if __name__ == "__main__":
    dozor.start()
    try:
        app.run(port=5000)
    finally:
        dozor.stop()
