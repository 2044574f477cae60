"""What the web server loads: `granian app.asgi:app`."""

from app import create_app

app = create_app()
