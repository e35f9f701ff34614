"""How the rooms are put together. What differs between places comes from the environment."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from billing_portal import env, gateways

BASE_DIR = Path(__file__).resolve().parent.parent
RELEASE = "0.1.0"

MODE = env.text("PORTAL_MODE", "production")
if MODE not in {"production", "development", "test"}:
    raise ImproperlyConfigured("PORTAL_MODE is production, development or test.")
PRODUCTION = MODE == "production"
DEBUG = False

SECRET_KEY = env.text("SECRET_KEY")
if PRODUCTION and len(SECRET_KEY) < 50:
    raise ImproperlyConfigured("SECRET_KEY has at least 50 random characters.")
SECRET_KEY_FALLBACKS = env.words("SECRET_KEY_FALLBACKS")

# Absolute URLs are made from this, never from a request (F76).
PORTAL_ORIGIN = env.text("PORTAL_ORIGIN")
_origin = env.origin("PORTAL_ORIGIN")
if PRODUCTION and _origin.scheme != "https":
    raise ImproperlyConfigured("PORTAL_ORIGIN is the public https:// address of the portal.")
ALLOWED_HOSTS = [_origin.hostname, *env.words("ALLOWED_HOSTS")]
if PRODUCTION and "*" in ALLOWED_HOSTS:
    raise ImproperlyConfigured("ALLOWED_HOSTS names hosts, one by one.")
if not PRODUCTION:
    ALLOWED_HOSTS += ["localhost", "127.0.0.1"]
CSRF_TRUSTED_ORIGINS = [PORTAL_ORIGIN]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "allauth",
    "allauth.account",
    "csp",
    "django_htmx",
    "core",
    "accounts",
    "plans",
    "spot_orders",
    "seats",
    "usage",
    "billing",
    "payments",
    "ordering",
    "cancellation",
    "archives",
    "pages",
    "demo",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "core.middleware.HeadersMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "accounts.middleware.SessionLifetimeMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "seats.middleware.EndsMiddleware",
    "accounts.middleware.AccessMiddleware",
]

ROOT_URLCONF = "billing_portal.urls"
WSGI_APPLICATION = "billing_portal.wsgi.application"
# Who may open which page: one file (ASVS 8.1.1).
PORTAL_ACCESS = "billing_portal.access.ACCESS"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "pages.context.portal",
            ],
            "builtins": [
                "core.templatetags.writing",
                "django.templatetags.i18n",
                "core.templatetags.words",
            ],
        },
    }
]

# --- Database -------------------------------------------------------------------------------------
_database = env.database("DATABASE_URL")
_database["OPTIONS"]["options"] = " ".join(
    f"-c {name}={value}"
    for name, value in {
        "timezone": "UTC",
        "statement_timeout": f"{env.number('DB_STATEMENT_TIMEOUT_SECONDS', 60)}s",
        "lock_timeout": f"{env.number('DB_LOCK_TIMEOUT_SECONDS', 10)}s",
        "idle_in_transaction_session_timeout": "120s",
        # Requests and workers run beside each other: a statement that takes a second core takes it
        # from them, and starting its helpers costs more than a page of organisations gains.
        "max_parallel_workers_per_gather": "0",
    }.items()
)
# Only what core.statements runs is prepared, at once; Django's own cursors never are.
_database["OPTIONS"]["prepare_threshold"] = 0
_database["CONN_MAX_AGE"] = 0 if MODE == "test" else 300
_database["CONN_HEALTH_CHECKS"] = True
DATABASES: dict[str, dict[str, Any]] = {"default": _database}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Broker, cache --------------------------------------------------------------------------------
REDIS_URL = env.text("REDIS_URL")
CACHES = {
    "default": {
        "BACKEND": "core.cache.RedisOrLocalCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "portal",
        "OPTIONS": {"socket_connect_timeout": 1, "socket_timeout": 1},
    }
}

CELERY_BROKER_URL = env.text("CELERY_BROKER_URL", REDIS_URL)
CELERY_BROKER_TRANSPORT_OPTIONS = {
    # Rows are the truth: a lost message costs a minute, so redelivery may be quick.
    "visibility_timeout": 600,
    "unacked_restore_interval": 10,
    "unacked_restore_throttle": 1,
    "socket_connect_timeout": 1,
    "socket_timeout": 5,
    # Who wakes a worker does not wait for a broker that is away: `tick` looks every minute (F21).
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0,
    "interval_max": 0,
}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_TIME_LIMIT = 540
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_MAX_TASKS_PER_CHILD = 500
CELERY_WORKER_MAX_MEMORY_PER_CHILD = 500_000
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE = {
    "tick": {
        "task": "core.tick",
        "schedule": timedelta(seconds=env.number("TICK_SECONDS", 60, least=1)),
        "options": {"expires": 50},
    }
}

WAKE_WORKERS = MODE != "test"
WORK_LEASE_SECONDS = env.number("WORK_LEASE_SECONDS", 300, least=1)

# --- Billing --------------------------------------------------------------------------------------
# How long after a month's end late usage is waited for before the month is billed (design.md 4).
BILLING_GRACE = timedelta(hours=env.number("BILLING_GRACE_HOURS", 6))
# How many organisations are billed in one transaction (performance.md, month end).
BILLING_PAGE = env.number("BILLING_PAGE", 2000, least=1)

# --- Payments -------------------------------------------------------------------------------------
# Each gateway is one file and one line here; one without an account is left out.
PAYPAL = gateways.paypal(production=PRODUCTION)
PAID = gateways.paid(production=PRODUCTION)
PAYMENT_GATEWAYS = [
    *(["payments.gateways.paypal.PayPal"] if PAYPAL else []),
    *(["payments.gateways.paid.Paid"] if PAID else []),
    *env.words("MORE_PAYMENT_GATEWAYS"),
]
# The only addresses, besides our own, that a form of ours may lead a browser to (ASVS 3.7.2).
APPROVAL_ORIGINS = list(PAYPAL.approval_origins) if PAYPAL else []
# A refund above this many minor units of the currency waits for a second person (ASVS 2.3.5).
REFUND_ALONE_UP_TO = env.number("REFUND_ALONE_UP_TO", 50_000)

# --- Usage ----------------------------------------------------------------------------------------
# How far back and ahead of now an event sent to the API may lie.
USAGE_OLDEST = timedelta(days=env.number("USAGE_OLDEST_DAYS", 400, least=1))
USAGE_AHEAD = timedelta(hours=env.number("USAGE_AHEAD_HOURS", 24))
USAGE_BODY_LIMIT = env.number("USAGE_BODY_LIMIT_BYTES", 8 * 1024 * 1024, least=1)
USAGE_REQUESTS_PER_MINUTE = env.number("USAGE_REQUESTS_PER_MINUTE", 600, least=1)
# The vendor's product may ask on each request of its own.
ENTITLEMENTS_REQUESTS_PER_MINUTE = env.number("ENTITLEMENTS_REQUESTS_PER_MINUTE", 60_000, least=1)
# Events leave by https alone, and for no address inside the operator's own network.
WEBHOOKS_ARE_STRICT = PRODUCTION

# --- Sign-in --------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
ACCOUNT_ADAPTER = "seats.sign_in.SignInAdapter"
ACCOUNT_PASSWORD_RESET_TOKEN_GENERATOR = "seats.tokens.ResetTokens"  # noqa: S105 - a path, no password
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = True
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_RATE_LIMITS: dict[str, str] = {} if MODE != "test" else {"login_failed": "1000/m/ip"}
ALLAUTH_TRUSTED_PROXY_COUNT = env.number("TRUSTED_PROXY_COUNT", 0)

# In the database alone: a copy in the cache would outlive a sign-out made while the cache is away.
SESSION_ENGINE = "accounts.sessions"
SESSION_IDLE = timedelta(minutes=30)
SESSION_LIFETIME = timedelta(hours=12)
SESSION_COOKIE_AGE = int(SESSION_LIFETIME.total_seconds())
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = PRODUCTION
SESSION_COOKIE_NAME = "__Host-session" if PRODUCTION else "session"
CSRF_COOKIE_SECURE = PRODUCTION
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_NAME = "__Host-csrf" if PRODUCTION else "csrf"
LANGUAGE_COOKIE_SAMESITE = "Lax"
LANGUAGE_COOKIE_SECURE = PRODUCTION
LANGUAGE_COOKIE_HTTPONLY = True

# --- Headers --------------------------------------------------------------------------------------
SECURE_SSL_REDIRECT = PRODUCTION
# A redirect would lose the body of a POST and break retries (ASVS 4.1.2).
SECURE_REDIRECT_EXEMPT = [r"^api/", r"^notices/", r"^healthz$"]
SECURE_HSTS_SECONDS = 31_536_000 if PRODUCTION else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = PRODUCTION
SECURE_HSTS_PRELOAD = PRODUCTION
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
if env.text("PROXY_SETS_FORWARDED_PROTO", "no") == "yes":
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "manifest-src": [SELF],
        # A browser holds the redirect that follows a form against this too.
        "form-action": [SELF, *APPROVAL_ORIGINS],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 500
# The one file that a page takes (accounts to register) is read in memory; nothing larger is kept, and
# nothing on disk (ASVS 5.2.1).
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.MemoryFileUploadHandler"]
FILE_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024 + 64 * 1024

# --- Language, time -------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("ja", "日本語"), ("en", "English")]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"  # instants are stored in UTC; pages show them in the vendor's zone

# --- Files ----------------------------------------------------------------------------------------
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if PRODUCTION
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = not PRODUCTION

# --- Mail -----------------------------------------------------------------------------------------
EMAIL_BACKEND = "core.mail.OutboxBackend"
MAIL_DOMAIN = _origin.hostname
DEFAULT_FROM_EMAIL = env.text("MAIL_FROM", f"billing@{_origin.hostname}")
SERVER_EMAIL = DEFAULT_FROM_EMAIL
# Who is told of what needs a person, and who answers customers.
STAFF_MAIL = env.text("STAFF_MAIL", DEFAULT_FROM_EMAIL)
SUPPORT_MAIL = env.text("SUPPORT_MAIL", DEFAULT_FROM_EMAIL)
if env.text("SMTP_HOST", ""):
    DELIVERY_EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    EMAIL_HOST = env.text("SMTP_HOST")
    EMAIL_PORT = env.number("SMTP_PORT", 587)
    EMAIL_HOST_USER = env.text("SMTP_USER", "")
    EMAIL_HOST_PASSWORD = env.text("SMTP_PASSWORD", "")
    EMAIL_USE_TLS = env.text("SMTP_TLS", "yes") == "yes"
    EMAIL_TIMEOUT = 20
elif PRODUCTION:
    raise ImproperlyConfigured("Set SMTP_HOST: customers must be reached (docs/operations.md).")
else:
    DELIVERY_EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    EMAIL_FILE_PATH = BASE_DIR / ".local" / "mail"

# --- Logs: ids, never names, addresses or tokens --------------------------------------------------
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "core.logs.JsonFormatter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["stderr"], "level": env.text("LOG_LEVEL", "INFO")},
    "loggers": {
        "django.server": {"handlers": ["stderr"], "propagate": False},
        "fontTools": {"level": "ERROR"},
        "weasyprint": {"level": "ERROR"},
    },
}
