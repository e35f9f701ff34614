"""Where sessions are kept: in the database, each with its user, so that one person's end at once.

Django names this module in SESSION_ENGINE. Rule: F60, ASVS 7.4.2.
"""

from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore

from accounts.models import Session


class SessionStore(DatabaseStore):
    @classmethod
    def get_model_class(cls) -> type[Session]:
        return Session

    def create_model_instance(self, data: dict[str, Any]) -> Session:
        """Return the row for what a session holds, under the user who has signed in, if one has."""
        row = super().create_model_instance(data)
        assert isinstance(row, Session)  # noqa: S101 - what get_model_class names
        user_id = data.get(SESSION_KEY)
        row.user_id = int(user_id) if user_id else None
        return row
