"""PayPal's notices: whose they are (F16), what is fetched because of them (F17), what they are about."""

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.x509 import Certificate

from payments.gateways.base import About, BadNotice, Notice, NoticeUnverified
from payments.gateways.paypal.notices import Notices, check_name
from tests.payments import certificates, wire
from tests.payments.certificates import NOTICE_TIME
from tests.payments.wire import HANG_UP, SILENCE, Said, Wire, said

NOW = datetime(2026, 11, 22, 5, 1, tzinfo=UTC)
CERTS = "/v1/notifications/certs/"
EVENT = {
    "id": "WH-1",
    "event_type": "PAYMENT.CAPTURE.COMPLETED",
    "resource": {
        "id": "3C679366HH908993F",
        "custom_id": "c-1",
        "supplementary_data": {"related_ids": {"order_id": "5O190127TN364715T"}},
    },
}
BODY = json.dumps(EVENT).encode()
TOLD = Notice(
    "WH-1",
    "PAYMENT.CAPTURE.COMPLETED",
    About.CHARGE,
    ("3C679366HH908993F", "5O190127TN364715T", "c-1"),
)
CERTIFICATE = said(200, certificates.pem(certificates.certificate()))


@dataclass
class Reader:
    """A reader of notices whose clock can be moved."""

    host: str
    environment: str = "local"
    now: datetime = NOW
    patience: float = 5.0
    notices: Notices = field(init=False)

    def __post_init__(self) -> None:
        account = wire.account(
            f"http://{self.host}", environment=self.environment, certificate_host=self.host
        )
        self.notices = Notices(account, now=lambda: self.now, fetch_seconds=self.patience)

    def read(self, headers: dict[str, str], body: bytes = BODY) -> Notice:
        return self.notices.notice_in(body, headers)


def reader(at: Wire) -> Reader:
    return Reader(f"127.0.0.1:{at.port}")


def certificate_url(at: Wire, name: str = "CERT-1") -> str:
    return f"{at.url}{CERTS}{name}"


def test_a_notice_of_paypals_is_read() -> None:
    with Wire([CERTIFICATE]) as paypal:
        notice = reader(paypal).read(certificates.signed(BODY, url=certificate_url(paypal)))

    assert notice == TOLD


def test_a_certificate_is_fetched_once_in_twelve_hours() -> None:
    with Wire([CERTIFICATE]) as paypal:
        one = reader(paypal)
        headers = certificates.signed(BODY, url=certificate_url(paypal))
        assert [one.read(headers), one.read(headers)] == [TOLD, TOLD]
        assert len(paypal.asked) == 1

        one.now = NOW + timedelta(hours=12)
        assert one.read(headers) == TOLD
        assert len(paypal.asked) == 2


def test_of_many_certificates_only_the_last_few_are_kept() -> None:
    with Wire([CERTIFICATE]) as paypal:
        one = reader(paypal)
        for number in [*range(9), *range(1, 9), 0]:
            one.read(certificates.signed(BODY, url=certificate_url(paypal, f"CERT-{number}")))

    assert len(paypal.asked) == 10


# --- forged ---


Forge = Callable[[dict[str, str]], dict[str, str]]


def without(name: str) -> Forge:
    return lambda headers: {k: v for k, v in headers.items() if k != f"paypal-{name}"}


def with_(name: str, value: str) -> Forge:
    return lambda headers: {**headers, f"paypal-{name}": value}


@pytest.mark.parametrize(
    "forge",
    [
        pytest.param(without("transmission-id"), id="no id"),
        pytest.param(without("transmission-time"), id="no time"),
        pytest.param(without("transmission-sig"), id="no signature"),
        pytest.param(without("cert-url"), id="no certificate"),
        pytest.param(without("auth-algo"), id="no algorithm"),
        pytest.param(with_("auth-algo", "none"), id="algorithm none"),
        pytest.param(with_("auth-algo", "MD5withRSA"), id="MD5"),
        pytest.param(with_("auth-algo", "sha256withrsa"), id="another spelling"),
        pytest.param(with_("transmission-sig", "not base64!"), id="no base64"),
        pytest.param(with_("transmission-time", "yesterday"), id="no time at all"),
        pytest.param(with_("transmission-time", "2026-11-22T05:00:00"), id="no time zone"),
    ],
)
def test_a_notice_without_proof_is_refused_before_anything_is_fetched(forge: Forge) -> None:
    with Wire([CERTIFICATE]) as paypal, pytest.raises(BadNotice):
        reader(paypal).read(forge(certificates.signed(BODY, url=certificate_url(paypal))))

    assert paypal.asked == []


@pytest.mark.parametrize(
    "time",
    [
        pytest.param("2026-11-18T22:59:00Z", id="older than PayPal repeats"),
        pytest.param("2026-11-22T05:17:00Z", id="from the future"),
    ],
)
def test_an_old_notice_played_again_is_refused(time: str) -> None:
    with Wire([CERTIFICATE]) as paypal, pytest.raises(BadNotice):
        reader(paypal).read(certificates.signed(BODY, url=certificate_url(paypal), time=time))

    assert paypal.asked == []


def test_a_notice_that_paypal_repeats_for_three_days_is_read() -> None:
    time = "2026-11-19T05:01:00Z"
    with Wire([CERTIFICATE]) as paypal:
        headers = certificates.signed(BODY, url=certificate_url(paypal), time=time)
        assert reader(paypal).read(headers) == TOLD


def test_a_notice_that_another_signed_is_refused() -> None:
    with Wire([CERTIFICATE]) as paypal, pytest.raises(BadNotice):
        reader(paypal).read(
            certificates.signed(BODY, url=certificate_url(paypal), by="somebody else")
        )


def test_a_notice_for_another_webhook_is_refused() -> None:
    with Wire([CERTIFICATE]) as paypal, pytest.raises(BadNotice):
        reader(paypal).read(
            certificates.signed(BODY, url=certificate_url(paypal), webhook_id="another")
        )


def test_a_signature_of_another_algorithm_is_refused() -> None:
    with Wire([CERTIFICATE]) as paypal, pytest.raises(BadNotice):
        reader(paypal).read(
            certificates.signed(BODY, url=certificate_url(paypal), algorithm=hashes.SHA1())  # noqa: S303
        )


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(BODY.replace(b"c-1", b"c-2"), id="altered"),
        pytest.param(BODY + b" ", id="a space more"),
        pytest.param(json.dumps(EVENT, separators=(",", ":")).encode(), id="written anew"),
    ],
)
def test_another_body_is_refused(body: bytes) -> None:
    with Wire([CERTIFICATE]) as paypal, pytest.raises(BadNotice):
        reader(paypal).read(certificates.signed(BODY, url=certificate_url(paypal)), body)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'{"id": "WH-1"}', b'{"id": 1, "event_type": 2}']
)
def test_a_body_that_says_nothing_is_refused_though_paypal_signed_it(body: bytes) -> None:
    with Wire([CERTIFICATE]) as paypal, pytest.raises(BadNotice):
        reader(paypal).read(certificates.signed(body, url=certificate_url(paypal)), body)


# --- where certificates come from ---


_seen: list[str] = []
_watching = False


def _watch(event: str, _arguments: tuple[object, ...]) -> None:
    if _watching and event in {"socket.connect", "socket.getaddrinfo"}:
        _seen.append(event)


sys.addaudithook(_watch)


@pytest.fixture
def nobody_is_called() -> Iterator[None]:
    """Fail a test in which this process looks up a name or connects to anybody."""
    global _watching
    _seen.clear()
    _watching = True
    yield
    _watching = False
    assert _seen == []


@pytest.mark.usefixtures("nobody_is_called")
@pytest.mark.parametrize(
    "url",
    [
        "http://api.paypal.com/v1/notifications/certs/CERT-1",
        "https://evilpaypal.com/v1/notifications/certs/CERT-1",
        "https://paypal.com/v1/notifications/certs/CERT-1",
        "https://evilapi.paypal.com/v1/notifications/certs/CERT-1",
        "https://api.paypal.com:443/v1/notifications/certs/CERT-1",
        "https://api.paypal.com.evil/v1/notifications/certs/CERT-1",
        "https://api.paypal.com./v1/notifications/certs/CERT-1",
        "https://api.paypal.com:8443/v1/notifications/certs/CERT-1",
        "https://api.paypal.com@127.0.0.1/v1/notifications/certs/CERT-1",
        "https://api.paypal.com:x@127.0.0.1/v1/notifications/certs/CERT-1",
        "https://127.0.0.1/api.paypal.com/v1/notifications/certs/CERT-1",
        "https://127.0.0.1#@api.paypal.com/v1/notifications/certs/CERT-1",
        "https://127.0.0.1\\@api.paypal.com/v1/notifications/certs/CERT-1",
        "https://169.254.169.254/v1/notifications/certs/CERT-1",
        "https://[::1]/v1/notifications/certs/CERT-1",
        "https://[::ffff:127.0.0.1]/v1/notifications/certs/CERT-1",
        "https://[::1/v1/notifications/certs/CERT-1",
        "https://2130706433/v1/notifications/certs/CERT-1",
        "https://api.paypal.com/v1/notifications/certs/../../oauth2/token",
        "https://api.paypal.com/v1/notifications/certs/..",
        "https://api.paypal.com/v1/notifications/certs/%2e%2e/x",
        "https://api.paypal.com/v1/notifications/certs%2fCERT-1",
        "https://api.paypal.com/v1/notifications/certs/a%2f..%2fb",
        "https://api.paypal.com/v1/notifications/certs/",
        "https://api.paypal.com/v1/notifications/certs//CERT-1",
        "https://api.paypal.com//v1/notifications/certs/CERT-1",
        "https://api.paypal.com/v1/oauth2/token",
        "https://api.paypal.com/",
        "https://api.paypal.com",
        "https://api.paypal.com/v1/notifications/certs/CERT-1?next=https://evil",
        "https://api.paypal.com/v1/notifications/certs/CERT-1#x",
        "https://api.paypal.com/v1/notifications/certs/CERT-1\r\nHost: evil",
        "https://api.paypal.com/v1/notifications/certs/CERT 1",
        "https://\tapi.paypal.com/v1/notifications/certs/CERT-1",
        " https://api.paypal.com/v1/notifications/certs/CERT-1",
        "https://аpi.paypal.com/v1/notifications/certs/CERT-1",
        "//api.paypal.com/v1/notifications/certs/CERT-1",
        "file:///v1/notifications/certs/CERT-1",
        "ftp://api.paypal.com/v1/notifications/certs/CERT-1",
        "/v1/notifications/certs/CERT-1",
        "https:///v1/notifications/certs/CERT-1",
        "https://api.paypal.com/v1/notifications/certs/" + "a" * 500,
    ],
)
def test_a_certificate_from_anywhere_else_is_refused_before_any_connection(url: str) -> None:
    with pytest.raises(BadNotice):
        Reader("api.paypal.com", "live").read(certificates.signed(BODY, url=url))


def test_a_canary_on_this_machine_hears_nothing() -> None:
    with Wire([CERTIFICATE]) as canary, Wire([CERTIFICATE]) as paypal:
        here = f"127.0.0.1:{canary.port}"
        for url in (
            f"http://{here}{CERTS}x",
            f"http://127.0.0.1:{paypal.port}@{here}{CERTS}x",
            f"http://localhost:{canary.port}{CERTS}x",
            f"http://{here}#@127.0.0.1:{paypal.port}{CERTS}x",
        ):
            with pytest.raises(BadNotice):
                reader(paypal).read(certificates.signed(BODY, url=url))

        assert (canary.asked, paypal.asked) == ([], [])


def test_a_host_that_leads_into_a_private_network_is_refused_before_any_connection() -> None:
    with Wire([CERTIFICATE]) as canary:
        host = f"127.0.0.1:{canary.port}"
        headers = certificates.signed(BODY, url=f"https://{host}{CERTS}CERT-1")
        with pytest.raises(BadNotice):
            Reader(host, "live").read(headers)

    assert canary.asked == []


def test_plain_http_is_for_a_stand_in_alone() -> None:
    with Wire([CERTIFICATE]) as canary:
        headers = certificates.signed(BODY, url=certificate_url(canary))
        with pytest.raises(BadNotice):
            Reader(f"127.0.0.1:{canary.port}", "live").read(headers)

    assert canary.asked == []


def test_a_redirect_to_a_certificate_is_not_followed() -> None:
    with Wire([CERTIFICATE]) as canary:
        answer = said(302, headers={"Location": certificate_url(canary)})
        with Wire([answer]) as paypal, pytest.raises(BadNotice):
            reader(paypal).read(certificates.signed(BODY, url=certificate_url(paypal)))

    assert canary.asked == []


def test_a_gigabyte_is_not_read() -> None:
    head = said(200, b"", headers={"Content-Length": "1000000000"}).content
    endless = Said(head + b"x" * 70_000, then_silence=True)
    with Wire([endless]) as paypal, pytest.raises(BadNotice):
        reader(paypal).read(certificates.signed(BODY, url=certificate_url(paypal)))


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(SILENCE, id="silence"),
        pytest.param(HANG_UP, id="hung up"),
        pytest.param(said(503), id="503"),
        pytest.param(said(200, b"x" * 100, cut=50), id="cut"),
    ],
)
def test_a_certificate_host_that_is_away_leaves_the_notice_open(answer: Said) -> None:
    with Wire([answer]) as paypal:
        one = Reader(f"127.0.0.1:{paypal.port}", patience=0.3)
        with pytest.raises(NoticeUnverified):
            one.read(certificates.signed(BODY, url=certificate_url(paypal)))


def test_a_certificate_host_that_refuses_leaves_the_notice_open() -> None:
    host = f"127.0.0.1:{wire.closed_port()}"

    with pytest.raises(NoticeUnverified):
        Reader(host).read(certificates.signed(BODY, url=f"http://{host}{CERTS}CERT-1"))


# --- the certificate itself ---


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"<html>", id="HTML"),
        pytest.param(certificates.pem(certificates.of_curve()), id="not RSA"),
        pytest.param(
            certificates.pem(certificates.certificate(until=datetime(2026, 11, 22, 4, tzinfo=UTC))),
            id="out of date",
        ),
        pytest.param(
            certificates.pem(
                certificates.certificate(),
                certificates.certificate(of="stranger", by="stranger", subject="authority"),
            ),
            id="an issuer that did not issue it",
        ),
    ],
)
def test_a_certificate_that_proves_nothing_is_refused(content: bytes) -> None:
    with Wire([said(200, content)]) as paypal, pytest.raises(BadNotice):
        reader(paypal).read(certificates.signed(BODY, url=certificate_url(paypal)))


def test_a_certificate_comes_with_its_issuer() -> None:
    issuer = certificates.certificate(of="authority", by="authority", subject="authority")
    chain = said(200, certificates.pem(certificates.certificate(), issuer))
    with Wire([chain]) as paypal:
        headers = certificates.signed(BODY, url=certificate_url(paypal))
        assert reader(paypal).read(headers) == TOLD


@pytest.mark.parametrize(
    ("certificate", "environment"),
    [
        pytest.param(certificates.certificate(), "live", id="live"),
        pytest.param(
            certificates.certificate(
                subject="x", also=("messageverificationcerts.sandbox.paypal.com",)
            ),
            "sandbox",
            id="sandbox, by another of its names",
        ),
        pytest.param(certificates.certificate(subject="anything"), "local", id="a stand-in"),
    ],
)
def test_a_certificate_of_paypals_name_is_taken(certificate: Certificate, environment: str) -> None:
    check_name(certificate, environment)


@pytest.mark.parametrize(
    ("certificate", "environment"),
    [
        pytest.param(certificates.certificate(subject="www.example.com"), "live", id="another"),
        pytest.param(certificates.certificate(), "sandbox", id="live in the sandbox"),
        pytest.param(
            certificates.certificate(subject="messageverificationcerts.paypal.com.evil"),
            "live",
            id="longer",
        ),
        pytest.param(certificates.certificate(by="paypal"), "live", id="by itself"),
    ],
)
def test_a_certificate_of_another_name_is_refused(
    certificate: Certificate, environment: str
) -> None:
    with pytest.raises(BadNotice):
        check_name(certificate, environment)


# --- what they are about ---


@pytest.mark.parametrize(
    ("kind", "resource", "about", "references"),
    [
        pytest.param(
            "PAYMENT.CAPTURE.DENIED",
            {"id": "CAP-1", "custom_id": "c-1"},
            About.CHARGE,
            ("CAP-1", "c-1"),
            id="denied",
        ),
        pytest.param(
            "PAYMENT.CAPTURE.DECLINED", {"id": "CAP-1"}, About.CHARGE, ("CAP-1",), id="declined"
        ),
        pytest.param(
            "PAYMENT.CAPTURE.PENDING", {"id": "CAP-1"}, About.CHARGE, ("CAP-1",), id="pending"
        ),
        pytest.param(
            "PAYMENT.CAPTURE.REFUNDED",
            {
                "id": "REF-1",
                "custom_id": "r-1",
                "links": [{"rel": "up", "href": "https://api/v2/payments/captures/CAP-1"}],
            },
            About.REFUND,
            ("REF-1", "CAP-1", "r-1"),
            id="refunded",
        ),
        pytest.param(
            "PAYMENT.CAPTURE.REVERSED", {"id": "REF-2"}, About.REFUND, ("REF-2",), id="reversed"
        ),
        pytest.param(
            "CHECKOUT.ORDER.COMPLETED",
            {
                "id": "ORD-1",
                "purchase_units": [
                    {"custom_id": "c-1", "payments": {"captures": [{"id": "CAP-1"}]}}
                ],
            },
            About.CHARGE,
            ("ORD-1", "c-1", "CAP-1"),
            id="an order",
        ),
        pytest.param(
            "VAULT.PAYMENT-TOKEN.DELETED",
            {"id": "8kk8451t"},
            About.PAYER,
            ("8kk8451t",),
            id="payer",
        ),
        pytest.param("BILLING.PLAN.CREATED", {"id": "P-1"}, About.NOTHING, (), id="another kind"),
        pytest.param("PAYMENT.CAPTURE.COMPLETED", None, About.CHARGE, (), id="no resource"),
        pytest.param("PAYMENT.CAPTURE.COMPLETED", [1], About.CHARGE, (), id="a list"),
    ],
)
def test_a_notice_tells_what_to_look_up(
    kind: str, resource: object, about: About, references: tuple[str, ...]
) -> None:
    body = json.dumps({"id": "WH-2", "event_type": kind, "resource": resource}).encode()
    with Wire([CERTIFICATE]) as paypal:
        notice = reader(paypal).read(certificates.signed(body, url=certificate_url(paypal)), body)

    assert notice == Notice("WH-2", kind, about, references)


def test_the_time_of_these_notices_is_a_minute_ago() -> None:
    assert datetime.fromisoformat(NOTICE_TIME) == NOW - timedelta(minutes=1)
