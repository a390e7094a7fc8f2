# The service's image: web, worker, sequencer and beat are the same image with another command. compose.yaml starts them.
FROM python:3.13-slim-trixie AS build
WORKDIR /build
COPY requirements.lock ./
RUN python -m venv /opt/custos && /opt/custos/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY evidence evidence
COPY client client
COPY witness witness
COPY monitor monitor
RUN /opt/custos/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.13-slim-trixie
RUN useradd --uid 10001 --create-home --home-dir /var/lib/custos custos
COPY --from=build /opt/custos /opt/custos
WORKDIR /srv/custos
COPY manage.py ./
COPY evidence evidence
COPY client client
COPY witness witness
COPY monitor monitor
COPY archive archive
COPY workers workers
COPY config config
ENV PATH=/opt/custos/bin:$PATH PYTHONUNBUFFERED=1 CUSTOS_HOME=/var/lib/custos
USER custos
VOLUME /var/lib/custos
EXPOSE 8000
CMD ["gunicorn", "config.wsgi", "--bind", "0.0.0.0:8000", "--worker-class", "gthread", "--workers", "2", "--threads", "8", "--timeout", "120"]
