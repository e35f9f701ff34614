"""PayPal's refusals in PayPal's shape."""

import secrets

from gateway_sandbox.answers import Answer, of_json

_NAMES = {
    400: (
        "INVALID_REQUEST",
        "Request is not well-formed, syntactically incorrect, or violates schema.",
    ),
    401: (
        "AUTHENTICATION_FAILURE",
        (
            "Authentication failed due to missing authorization header, or invalid authentication"
            " credentials."
        ),
    ),
    403: ("NOT_AUTHORIZED", "Authorization failed due to insufficient permissions."),
    404: ("RESOURCE_NOT_FOUND", "The specified resource does not exist."),
    405: ("METHOD_NOT_SUPPORTED", "The server does not implement the requested HTTP method."),
    409: ("RESOURCE_CONFLICT", "The server has detected a conflict while processing this request."),
    422: (
        "UNPROCESSABLE_ENTITY",
        (
            "The requested action could not be performed, semantically incorrect, or failed business"
            " validation."
        ),
    ),
    429: ("RATE_LIMIT_REACHED", "Too many requests. Blocked due to rate limiting."),
    500: ("INTERNAL_SERVER_ERROR", "An internal server error has occurred."),
    503: ("SERVICE_UNAVAILABLE", "Service Unavailable."),
}
_STATUS_OF_ISSUE = {
    "PERMISSION_DENIED": 403,
    "NOT_AUTHORIZED": 403,
    "INVALID_RESOURCE_ID": 404,
    "TOKEN_NOT_FOUND": 404,
    "PREVIOUS_REQUEST_IN_PROGRESS": 409,
    "RATE_LIMIT_REACHED": 429,
    "INTERNAL_SERVER_ERROR": 500,
    "INTERNAL_SERVICE_ERROR": 500,
    "INVALID_STRING_LENGTH": 400,
    "INVALID_PARAMETER_SYNTAX": 400,
    "INVALID_PARAMETER_VALUE": 400,
    "MISSING_REQUIRED_PARAMETER": 400,
    "PAYPAL_REQUEST_ID_REQUIRED": 400,
    "MALFORMED_REQUEST_JSON": 400,
    "INVALID_ACCOUNT_STATUS": 401,
}


class Refused(Exception):
    """PayPal refuses the request, and nothing has changed."""

    def __init__(
        self, issue: str, *, status: int | None = None, where: str = "", value: str = ""
    ) -> None:
        super().__init__(issue)
        self.issue = issue
        self.status = status or _STATUS_OF_ISSUE.get(issue, 422)
        self.where = where
        self.value = value

    def answer(self) -> Answer:
        """Return the refusal as it is sent."""
        return refusal(self.status, self.issue, where=self.where, value=self.value)


def refusal(status: int, issue: str = "", *, where: str = "", value: str = "") -> Answer:
    """Return an error answer; without an issue it has no details."""
    name, message = _NAMES.get(status, ("UNKNOWN", "Unknown."))
    debug_id = secrets.token_hex(7)[:13]
    body: dict[str, object] = {"name": name, "message": message, "debug_id": debug_id}
    if issue:
        detail = {"issue": issue, "description": issue.replace("_", " ").capitalize() + "."}
        if where:
            detail |= {"field": where, "location": "body"}
        if value:
            detail["value"] = value
        body["details"] = [detail]
    body["links"] = [
        {
            "href": "https://developer.paypal.com/api/rest/responses/",
            "rel": "information_link",
            "method": "GET",
        }
    ]
    return of_json(status, body).with_headers({"PayPal-Debug-Id": debug_id})
