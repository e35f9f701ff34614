"""What may be used, against a bare view that runs the same two statements and nothing else.

The floor finds the key and asks for the facts in the product's own words, checks no key, counts no
request and writes no JSON. Both go through the whole stack of middlewares, as a request does; what
is left out is the server before it. "Known" sends the ETag and is answered 304.

    python -m benchmarks.entitlements [--organisations 2000] [--rounds 7] [--requests 500]
"""

import argparse
import os
import random
from collections.abc import Callable

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.entitlements_settings"
django.setup()

from django.core.handlers.wsgi import WSGIHandler, WSGIRequest  # noqa: E402  # settings first
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.test import RequestFactory  # noqa: E402

from accounts import services as accounts  # noqa: E402
from accounts.models import Organisation  # noqa: E402
from benchmarks import rounds  # noqa: E402
from benchmarks.rounds import Variant, at_most, cpu_speed, slowness  # noqa: E402
from core import clock  # noqa: E402

FILL = """
INSERT INTO plans_vendorversion (number, name_ja, name_en, postal_code, address_ja, address_en,
    country, registration_number, time_zone, tax_rounding, currencies, support_email, support_url,
    plan_page_url, invoice_prefix, created_at)
VALUES (1, '計測', 'Bench', '1', '東京', 'Tokyo', 'JP', '', 'Asia/Tokyo', 'down', '["JPY"]',
    'support@example.com', '', '', 'B-', '2025-01-01');
INSERT INTO plans_meter (code, name_ja, name_en, unit_ja, unit_en, aggregation, position)
SELECT 'meter-' || n, '計測' || n, 'Meter ' || n, '回', 'calls', 'sum', n FROM generate_series(1, 5) n;
INSERT INTO plans_plan (code, category, name_ja, name_en, is_free, tax_category, position)
VALUES ('starter', 'licence', 'スターター', 'Starter', false, 'standard', 1),
    ('support', 'support', 'サポート', 'Support', false, 'standard', 2);
INSERT INTO plans_planversion (plan_id, number, on_sale_from, accounts_per_step)
SELECT id, 1, '2025-01-01', CASE category WHEN 'licence' THEN 100 END FROM plans_plan;
INSERT INTO plans_meterprice (version_id, meter_id, currency, included, tiers)
SELECT v.id, m.id, 'JPY', 1000, '[[null, "0.004"]]'
FROM plans_planversion v JOIN plans_plan p ON p.id = v.plan_id AND p.code = 'starter', plans_meter m;
INSERT INTO accounts_organisation (public_id, reference, name, billing_name, billing_postal_code,
    billing_address, country, currency, language, payment_terms, customer_since, created_at)
SELECT gen_random_uuid(), 'customer-' || n, 'Customer ' || n, 'Customer', '980-0811', 'Sendai', 'JP',
    'JPY', 'ja', 'paypal', '2025-01-01', '2025-01-01' FROM generate_series(1, %(organisations)s) n;
INSERT INTO plans_selection (organisation_id, category, plan_version_id, steps, from_at)
SELECT o.id, p.category, v.id, 1, '2025-01-01'
FROM accounts_organisation o, plans_planversion v JOIN plans_plan p ON p.id = v.plan_id;
INSERT INTO plans_maincontract (organisation_id, public_id, anchor_on, months_before, months,
    first_on, end_on, renews, ordered_at, ordered_by, withdrawn_by)
SELECT id, gen_random_uuid(), date_trunc('month', %(now)s::timestamptz)::date, 0, 12,
    date_trunc('month', %(now)s::timestamptz)::date,
    (date_trunc('month', %(now)s::timestamptz) + interval '1 year')::date, false, '2025-01-01',
    'system:benchmark', '' FROM accounts_organisation;
INSERT INTO usage_dailyusage (organisation_id, day, meter_id, quantity, events)
SELECT o.id, d::date, m.id, 3000 + o.id %% 1000 + 0.25, 10
FROM accounts_organisation o,
    generate_series(date_trunc('month', %(now)s::timestamptz)
        - interval '1 month', %(now)s::timestamptz, '1 day') d, plans_meter m ORDER BY o.id, d;
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--organisations", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--requests", type=int, default=500)
    options = parser.parse_args()
    call_command("migrate", verbosity=0)
    if Organisation.objects.exists():
        raise SystemExit("This database holds data. Give the benchmark one of its own.")
    with connection.cursor() as cursor:
        cursor.execute(FILL, {"organisations": options.organisations, "now": clock.now()})
        cursor.execute("ANALYZE")
    connection.close()
    _, presented = accounts.create_api_key(label="bench", actor="system:benchmark", now=clock.now())
    _measure(presented, options.organisations, options.rounds, options.requests)


def _measure(presented: str, organisations: int, how_often: int, requests: int) -> None:
    chosen = random.Random(7).choices(range(1, organisations + 1), k=requests)
    references = [f"customer-{number}" for number in chosen]
    handler = WSGIHandler()
    factory = RequestFactory(headers={"Authorization": f"Bearer {presented}", "Host": "localhost"})

    def ask(page: str, reference: str, known: str = "") -> tuple[int, str]:
        headers = {"If-None-Match": known} if known else {}
        request: WSGIRequest = factory.get(
            f"/api/v1/organisations/{reference}/{page}", headers=headers
        )
        answer = handler.get_response(request)
        return answer.status_code, answer.get("ETag", "")

    def all_of(page: str, status: int, known: dict[str, str]) -> Callable[[int], None]:
        def run(_: int) -> None:
            for reference in references:
                assert ask(page, reference, known.get(reference, ""))[0] == status

        return run

    tags = {reference: ask("entitlements", reference)[1] for reference in set(references)}
    floor = Variant("bare view, the same statements", run=all_of("bare", 200, {}))
    product = Variant("entitlements", run=all_of("entitlements", 200, {}))
    again = Variant("entitlements, known (304)", run=all_of("entitlements", 304, tags))
    floor.run(0)
    backend = connection.connection.info.backend_pid
    taken = rounds.interleaved(
        [floor, product, again],
        rounds=how_often,
        rows=requests,
        unit="requests",
        backends=lambda: [backend],
    )
    for each in (product, again):
        print(f"{each.name}: × CPU {1 / cpu_speed(taken, each.name, floor.name):.2f}")
    rounds.report(
        [
            at_most(
                "entitlements to the bare view", slowness(taken, product.name, floor.name), 1.5
            ),
            at_most("304 to the bare view", slowness(taken, again.name, floor.name), 1.5),
        ]
    )


if __name__ == "__main__":
    main()
