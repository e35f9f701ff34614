"""Role × page: every page of the portal has its row here; one without opens to nobody."""

from accounts.access import ANYONE, MANAGER, SIGNED_IN, STAFF, Access

ACCESS: dict[str, Access] = {
    "healthz": ANYONE,
    "set_language": ANYONE,
    "admin:*": STAFF,
    "home": SIGNED_IN,
    "components": STAFF,
    "usage": MANAGER,
    "usage_csv": MANAGER,
    "account_login": ANYONE,
    "account_logout": ANYONE,
    "account_signup": ANYONE,
    "account_inactive": ANYONE,
    "account_reset_password": ANYONE,
    "account_reset_password_done": ANYONE,
    "account_reset_password_from_key": ANYONE,
    "account_reset_password_from_key_done": ANYONE,
    "account_confirm_email": ANYONE,
    "account_email_verification_sent": ANYONE,
    "account_change_password": SIGNED_IN,
    "account_set_password": SIGNED_IN,
    "account_email": SIGNED_IN,
    "account_reauthenticate": SIGNED_IN,
    "account_confirm_login_code": ANYONE,
}
