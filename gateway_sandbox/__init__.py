"""PayPal and Paid as local HTTP servers, with a ledger of their own and switches for faults.

They stand in for both companies in the demo and in tests. No room imports this package, and it
imports none. Only Python's standard library and `cryptography` are needed.

    with Sandbox() as sandbox:                   # a free port of 127.0.0.1
        sandbox.url                              # PAYPAL_ENDPOINT; payers approve there too
        sandbox.paid_url                         # PAID_ENDPOINT: sandbox.url + "/y/coop"
        sandbox.accounts                         # client_id, secret, merchant, webhook_id, paid_auth_code
        sandbox.environment()                    # the same as PAYPAL_… and PAID_… variables

Time is the sandbox's own: `sandbox.advance(hours=7)`, `sandbox.set_time(at)`, `sandbox.now()`.
Amounts are ints in minor units (yen, cents). What takes `capture`, `member`, … takes its id or
the row itself.

What happened, `sandbox.ledger` (copies of rows, oldest first; ledger.py has their columns):

    .setup_tokens .payment_tokens .payers .orders .captures .refunds .reversals    PayPal
    .members .trades                                                            Paid
    .requests     Request(method, path, headers, body, status, …); status 0: no whole answer
    .requests_to("POST /v2/checkout/orders")
    .capture(id) .refund(id) .order(id) .payment_token(id) .member(id) .trade(credit_id)   raise KeyError
    .taken("JPY") completed captures less refunds and reversals; .captures_of(invoice_id)

A person at PayPal, or PayPal itself, `sandbox.paypal`:

    .approve(setup_or_order_id_or_url, email="payer@example.com", declines=False) -> return URL
    .cancel(setup_or_order_id_or_url) -> cancel URL
    .decline(email, issue="INSTRUMENT_DECLINED"), .accept(email)     what the payer's charges answer
    .pending(times=1)                the next captures stay PENDING; then
    .complete(capture), .deny(capture)
    .declined_captures(times=1)      … are DECLINED inside a completed order
    .pending_refunds(times=1), .complete_refund(refund), .fail_refund(refund)
    .delete_agreement(payment_token)       by the payer, with its notice (F11)
    .reverse(capture, amount=None), .chargeback(capture)   (F19)
    .wrong_amount(by=-1), .wrong_currency("USD"), .other_merchant("OTHER"), .other_custom_id("x")
                                     the next capture is stored and answered so (F09)
    .forget_keys()                   PayPal-Request-Id's are forgotten at once (F05)
    .reporting_delay = timedelta(hours=3)    /v1/reporting/transactions lags; 0 by default

A person at Paid, `sandbox.paid`:

    .approve(member, limit=1_000_000), .reject(member), .block(member), .review(member)
    .review_after = None             timedelta: approve by itself after so long
    .settle(trades=None, on=date)    mark fixed trades as paid out; .settlement_csv("2026-11")
    .words["duplicate"] = "DUPLICATED"     the words of item results, see paid/api.py

Faults, `sandbox.faults`. The first argument is "METHOD /path" or "/path", where * matches
anything; `times=1` (None: until removed), `after=0` (matches let through first). Each returns a
fault with `.hits` and `.remove()`; `sandbox.faults.clear()` removes all.

    lose_reply(p)    do the work, then close without a word        lose_request(p)   close before
    cut_reply(p, at=90)     html_error(p, status=502)     empty_200(p)     invalid_json(p)
    delay(p, seconds, before=False)     blackhole(p)
    sandbox.stop_listening(), sandbox.listen_again()          connections are refused meanwhile
    status(p, 503, headers={"Retry-After": "7"}, issue="")    no work is done
    answer(p, status, json_value_or_bytes, headers={})        no work is done
    change(p, function)      do the work; function(json) -> json is what is answered
    hold(p) -> .reached.wait(5), .release()     work done, answer held back until released
    notices_first(p)         the call's notices are delivered before its answer (F13)
    limit(p, per_minute=30)  429 with Retry-After beyond that; .hits and .refused count
    fail_items(p, word)      Paid: the items fail inside a SUCCESS (F64)
    paid_error(p, "ERROR", ["D01"])      (F65)      wrong_types(p)      (F65)
    mock(p, "INSTRUMENT_DECLINED")       as PayPal-Mock-Response does, without the header

Notices (webhooks), `sandbox.notices`: each recorded as it comes about, oldest first, as
Notice(id, kind, body, …). They are sent by themselves only where `Sandbox(notify=url)` is given.

    sandbox.deliver(notice_or_list, to=url, times=1, order=None) -> statuses   order: list of indices
    sandbox.signed(notice, …) -> (headers, body)   to post with a test client; may be forged:
        forge="key" | "body" | "webhook_id" | "algorithm" | "unsigned" | "host"
    sandbox.hold_notices() / sandbox.send_held()   with `notify`: none is sent meanwhile (F12)
    sandbox.certificate_url, sandbox.certificate_pem, sandbox.authority_pem

As a process, its ledger kept in a file over kill -9:

    python -m gateway_sandbox --port 8100 --ledger FILE.sqlite --notify http://localhost:8000/…

Its own page, with the ledger, reviews and fault switches for a person, is at /sandbox/.
"""

from gateway_sandbox.sandbox import Sandbox
from gateway_sandbox.world import Accounts

__all__ = ["Accounts", "Sandbox"]
