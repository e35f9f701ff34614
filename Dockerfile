# One image for web, worker, beat and the one-shot migrate; docker-compose.yml says which is which.
FROM python:3.11-slim-bookworm AS build
WORKDIR /portal
COPY requirements/prod.txt requirements/
RUN python -m venv /venv \
 && /venv/bin/pip install --no-cache-dir --only-binary :all: --require-hashes -r requirements/prod.txt
COPY . .
RUN /venv/bin/pybabel compile --directory locale --domain django
# The settings refuse to load without these; nothing of them stays in the image.
RUN SECRET_KEY=build PORTAL_MODE=production PORTAL_ORIGIN=https://portal.example SMTP_HOST=build \
    DATABASE_URL=postgresql://build REDIS_URL=redis://build \
    /venv/bin/python manage.py collectstatic --no-input

FROM python:3.11-slim-bookworm
RUN apt-get update \
 && apt-get install -y --no-install-recommends \
    libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 fonts-morisawa-bizud-gothic fonts-vlgothic \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --create-home portal
COPY --from=build /venv /venv
COPY --from=build /portal /portal
WORKDIR /portal
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 DJANGO_SETTINGS_MODULE=billing_portal.settings
USER portal
EXPOSE 8000
CMD ["gunicorn", "--bind", "0.0.0.0:8000", "--worker-class", "gthread", "--workers", "2", "--threads", "4", "--access-logfile", "-", "billing_portal.wsgi"]
