# The production image: only what requirements.txt names, run by an ordinary user.
FROM python:3.13-slim AS build
WORKDIR /build
COPY requirements.txt .
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --require-hashes -r requirements.txt

FROM python:3.13-slim
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 LECTERN_ENV=production DATA_DIR=/data
# So that python -m app is found whichever folder a shell in the container opens in.
ENV PYTHONPATH=/srv/lectern
# What the PDFs of entries are written in: most alphabets, and every other script.
RUN apt-get update && apt-get install -y --no-install-recommends fonts-dejavu-core fonts-unifont && rm -rf /var/lib/apt/lists/*
RUN useradd --system --uid 10001 --home-dir /data --create-home lectern
COPY --from=build /venv /venv
WORKDIR /srv/lectern
COPY app app
COPY templates templates
COPY static static
COPY migrations migrations
USER lectern
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
# A worker listens nowhere: that it runs is all that is asked of it.
HEALTHCHECK --interval=15s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; b'worker' in open('/proc/1/cmdline', 'rb').read() or u.urlopen('http://127.0.0.1:8000/health/live', timeout=2)"]
CMD ["python", "-m", "app", "web", "--preload", "--host", "0.0.0.0", "--port", "8000"]
