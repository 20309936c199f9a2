# One machine's house in a container: supervisor, door, replicas, recorder and control under `gyro up --foreground`.
#
#   docker build -t gyroscope .
#   docker run --shm-size 1g --stop-timeout 60 -p 127.0.0.1:8080:8080 -v gyroscope:/data gyroscope
#
# --shm-size: unrecorded predictions wait in /dev/shm, which has 64 MiB unless told otherwise; each replica may take
# serving.segment_cap_mib (256) of it. --stop-timeout: the recorder drains what was answered before it ends.
# Any base with Python 3.11 or newer and its venv module will do: --build-arg BASE=...
ARG BASE=python:3.11-slim-bookworm
FROM ${BASE}

# What may be served: add sklearn only where models are converted.
ARG EXTRAS=onnx,lightgbm,haproxy

# LightGBM needs the OpenMP runtime, which slim bases leave out.
RUN ldconfig && ldconfig -p | grep -q libgomp.so.1 || \
    (apt-get update && apt-get install -y --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/*)

WORKDIR /opt/gyroscope
COPY constraints.txt pyproject.toml README.md LICENSE ./
COPY src src
RUN python3 -m venv .venv && .venv/bin/pip install --no-cache-dir -c constraints.txt ".[${EXTRAS}]"

# In a container the door must listen beyond loopback; who may reach it is decided by what is published.
RUN printf 'home: /data\ndoor:\n  host: 0.0.0.0\n  allow_remote: true\n' > gyroscope.yaml && \
    useradd --system --uid 10001 --home-dir /data gyroscope && \
    mkdir /data && chown gyroscope /data && chmod 700 /data

ENV PATH=/opt/gyroscope/.venv/bin:$PATH GYROSCOPE_SETTINGS=/opt/gyroscope/gyroscope.yaml PYTHONUNBUFFERED=1
USER gyroscope
WORKDIR /data
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s CMD ["gyro", "status", "--json"]
ENTRYPOINT ["gyro", "up", "--foreground"]
