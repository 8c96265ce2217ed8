# Two stages: wheels are made in the first, the second holds what runs and nothing else.
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY exporter exporter
RUN pip wheel --no-cache-dir -c constraints.txt --wheel-dir /wheels . \
    && python -m venv --without-pip /opt/contactcenter-exporter \
    && pip --python /opt/contactcenter-exporter install --no-cache-dir --no-index \
       --find-links /wheels contactcenter-exporter

FROM python:3.11-slim-bookworm
ARG REVISION=unknown
LABEL org.opencontainers.image.title="contactcenter-exporter" \
      org.opencontainers.image.description="Prometheus exporter for contact-centre platforms" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.revision="${REVISION}"
ENV PATH=/opt/contactcenter-exporter/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
COPY --from=build /opt/contactcenter-exporter /opt/contactcenter-exporter
USER 10077:10077
EXPOSE 10077
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 \
    CMD ["python", "-c", "import http.client as h; c = h.HTTPConnection('127.0.0.1', 10077, timeout=3); c.request('GET', '/-/healthy'); raise SystemExit(c.getresponse().status != 200)"]
ENTRYPOINT ["contactcenter-exporter"]
CMD ["run", "--config.file=/etc/contactcenter-exporter/exporter.yml"]
