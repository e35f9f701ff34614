"""Fill an empty portal with a year and two months of customers, usage and invoices."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

from allauth.account.models import EmailAddress
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import transaction

from accounts import services as accounts
from accounts.models import Organisation, User
from billing.services import runs
from core import audit
from core.enums import WorkState
from core.models import Mail, Work
from core.months import BillingMonth, start_of_day
from demo.rules import seasons, shape, teams
from demo.rules.customers import (
    CUSTOMERS,
    LAST,
    LATE_EVENTS,
    Choice,
    Customer,
    LateEvent,
    Pays,
)
from demo.services import payers, spots
from demo.services import teams as joining
from plans import queries as plans_queries
from plans import services as plans
from plans.queries import contracts
from plans.rules import renewals as rules
from plans.rules import timeline
from plans.services import renewals
from usage.services import batches, partitions
from usage.services.batches import MOST_EVENTS, Row
from usage.services.ingest import ingest
from usage.services.staging import Window

CATALOGUE = Path(__file__).parent.parent / "catalogue.toml"
ACTOR = "system:demo"
STAFF = "staff@shiosai-connect.example"
FEWEST_MONTHS = 3

Tell = Callable[[str], None]


class NotEmpty(Exception):
    """There are organisations already."""


class WentWrong(Exception):
    """The portal refused something of the demo data: a fault of theirs or of its own."""


@dataclass(frozen=True, slots=True)
class SignIn:
    role: str
    email: str
    password: str
    organisation: str


@dataclass(frozen=True, slots=True)
class Size:
    """How much to make. `large_events`: how many events report the large customer's calls.

    `team`: how many accounts each customer has beside the people of its story, while there are places.
    """

    months: int = LAST + 1
    large_events: int = 40_000
    team: int = seasons.TEAM
    seed: int = 1


@dataclass(slots=True)
class _Story:
    size: Size
    zone: ZoneInfo
    now: datetime
    months: list[BillingMonth]
    tell: Tell
    sign_ins: list[SignIn] = field(default_factory=list)
    # Whether the payment companies' sandbox is there.
    can_pay: bool = False

    def month(self, number: int) -> BillingMonth:
        """Return the month in which a month of the story falls, however many there are."""
        return self.months[number * (len(self.months) - 1) // LAST]

    @property
    def today(self) -> date:
        return self.now.astimezone(self.zone).date()

    def at(self, choice: Choice) -> datetime:
        month = self.month(choice.month)
        day = date(month.year, month.month, choice.day)
        return start_of_day(day, self.zone) + timedelta(hours=choice.hour)


def make(size: Size, *, now: datetime, tell: Tell) -> tuple[list[SignIn], str]:
    """Make the demo data, all or nothing; return who can sign in, and an API key for the product.

    Every closed month is billed; documents are left to the worker. Raises NotEmpty, WentWrong,
    ValueError below three months.
    """
    if size.months < FEWEST_MONTHS:
        raise ValueError(f"at least {FEWEST_MONTHS} months are needed")
    if Organisation.objects.exists():
        raise NotEmpty
    plans.apply_catalogue(CATALOGUE.read_text(encoding="utf-8"), actor=ACTOR, now=now)
    zone = plans_queries.vendor_zone()
    this_month = BillingMonth.containing(now, zone)
    months = [this_month.plus(-back) for back in reversed(range(size.months))]
    tell("making room for the events of each day")
    partitions.create(day for month in months for day in month.days())
    with transaction.atomic():
        story = _Story(size, zone, now, months, tell)
        story.can_pay = _find_sandbox(tell)
        for month in months:
            _live(story, month)
        _choose_who_stays(story)
        payers.forget_letters(now)
        # What past months left to the worker is due from now on: it is not late.
        Work.objects.filter(state=WorkState.DUE, due_at__lt=now).update(due_at=now)
        Mail.objects.filter(sent_at=None, created_at__lt=now).update(created_at=now)
        _, key = accounts.create_api_key(label="Demo product", actor=ACTOR, now=now)
        return [_staff(story), *story.sign_ins], key


def _live(story: _Story, month: BillingMonth) -> None:
    """Let a month go by: customers come and choose, usage comes in, the month before is corrected."""
    for customer in CUSTOMERS:
        _choose(story, customer, month)
    _renew(story, month)
    _order(story, month)
    _grow(story, month)
    present = [customer for customer in CUSTOMERS if _since(story, customer) <= month.last_day]
    ends_at = min(month.ends_at(story.zone) - timedelta(seconds=1), story.now)
    joining.settle(ends_at)
    events = _ingest(story, _rows(story, present, month, ends_at), ends_at)
    corrected_at = start_of_day(month.first_day, story.zone) + timedelta(days=8, hours=1)
    if corrected_at <= story.now:
        _ingest(story, _late_rows(story, month), corrected_at)
    told = f"{month}: {len(present)} organisations, {events} events"
    billed_at = month.ends_at(story.zone) + settings.BILLING_GRACE + timedelta(minutes=5)
    if billed_at <= story.now:
        ran = runs.run_month(month, now=billed_at, on_progress=lambda _done, _total: None)
        if ran.outcome.parked:
            raise WentWrong(f"{month}: {ran.outcome.parked} organisations could not be billed")
        told += f", {ran.outcome.invoiced} invoices"
        if story.can_pay:
            _pay(story, month, billed_at)
    story.tell(told)


def _grow(story: _Story, month: BillingMonth) -> None:
    """Have the teams of the customers grow by those who come in a month."""
    for customer in CUSTOMERS:
        if _since(story, customer) > month.last_day:
            continue
        first_at = story.at(customer.choices[0]) + timedelta(hours=1)
        those = [
            (each, max(at, first_at))
            for each, at in _who_comes(story, customer)
            if max(at, first_at) <= story.now and BillingMonth.containing(at, story.zone) == month
        ]
        if those:
            secret = shape.password(story.size.seed, customer.reference)
            joining.join(
                customer,
                sorted(those, key=lambda each: each[1]),
                password=_hashed(secret),
                now=story.now,
            )


def _who_comes(story: _Story, customer: Customer) -> Iterator[tuple[teams.Colleague, datetime]]:
    """Yield the people beside those of the story, and when each is registered."""
    size = story.size
    number = seasons.regulars(customer, size.team)
    for each, coming, day in teams.colleagues(customer, number, seed=size.seed):
        first_day = story.month(coming).first_day
        yield each, _in_the_morning(story, first_day + timedelta(days=day - 1), day)
    season = seasons.season(customer)
    if season and season.helpers and story.can_pay:
        late = seasons.helpers(customer, season, today=story.today, team=size.team, seed=size.seed)
        for minute, (each, on) in enumerate(late):
            yield each, _in_the_morning(story, on, minute)


def _in_the_morning(story: _Story, day: date, minute: int) -> datetime:
    return start_of_day(day, story.zone) + timedelta(hours=9, minutes=minute)


def _order(story: _Story, month: BillingMonth) -> None:
    """Have customers order accounts for some months, pay for them, and be without them again."""
    if not story.can_pay:
        return
    for customer in CUSTOMERS:
        season = seasons.season(customer)
        for order in season.orders if season else ():
            at = _in_the_morning(story, order.placed_on(story.today), 20)
            at = at if order.is_paid else story.now - timedelta(minutes=25)
            if BillingMonth.containing(at, story.zone) == month:
                spots.order(customer, order, today=story.today, at=at)


def _choose_who_stays(story: _Story) -> None:
    """Have roots choose who stays when a spot contract ends, and one customer cancel."""
    for customer in CUSTOMERS:
        season = seasons.season(customer)
        if season and story.can_pay:
            spots.choose(customer, season, story.now)
        if customer.reference == seasons.LEAVES:
            day = max(story.months[-1].first_day, story.today - seasons.LEFT_BEFORE)
            at = min(story.now, _in_the_morning(story, day, 50))
            secret = shape.password(story.size.seed, customer.reference)
            spots.leave(customer, password=secret, at=at)


# One for all of an organisation: a hash is slow on purpose, and there are many people.
@lru_cache(maxsize=64)
def _hashed(secret: str) -> str:
    return make_password(secret)


def _find_sandbox(tell: Tell) -> bool:
    try:
        payers.find_sandbox()
    except payers.NoSandbox:
        tell("no gateway sandbox: nobody has a payment method, and nothing is collected")
        return False
    return True


def _pay(story: _Story, month: BillingMonth, billed_at: datetime) -> None:
    """Collect a month that was billed; the last one is declined for who stops paying."""
    if story.months.index(month) == len(story.months) - 2:
        for customer in CUSTOMERS:
            if customer.pays is Pays.DECLINED:
                payers.stop_paying(customer)
    payers.collect(billed_at, story.now)


def _since(story: _Story, customer: Customer) -> date:
    return story.at(customer.choices[0]).astimezone(story.zone).date()


def _choose(story: _Story, customer: Customer, month: BillingMonth) -> None:
    """Create a customer whose first month it is; select the plans that it chooses in it."""
    first = customer.choices[0]
    for choice in sorted(customer.choices, key=story.at):
        at = story.at(choice)
        if story.month(choice.month) != month or not story.at(first) <= at <= story.now:
            continue
        if choice is first:
            _create(story, customer, at)
        version = plans_queries.version_on_sale(choice.plan, at.astimezone(story.zone).date())
        if version is None:
            raise WentWrong(f"{choice.plan} was not on sale on {at}")
        organisation = Organisation.objects.get(reference=customer.reference)
        if choice.term:
            _contract(story, organisation, choice, version.pk)
            continue
        plans.select_plan(
            organisation_id=organisation.pk,
            version_id=version.pk,
            steps=choice.steps,
            from_at=at,
            actor=ACTOR,
            now=at,
        )


def _contract(story: _Story, organisation: Organisation, choice: Choice, version_id: int) -> None:
    """Start a main contract at once."""
    at = story.at(choice)
    before = plans_queries.timeline(organisation, now=at)
    after = timeline.start(
        before,
        plans_queries.terms([version_id], organisation.currency)[version_id],
        steps=choice.steps,
        first_on=at.astimezone(story.zone).date(),
        months=choice.term,
        renews=choice.renews,
        now=at,
        zone=story.zone,
    )
    plans.store(
        organisation_id=organisation.pk,
        before=before,
        after=after,
        action="contract.started",
        details={},
        actor=ACTOR,
        now=at,
    )


def _renew(story: _Story, month: BillingMonth) -> None:
    """Renew the main contracts that renewed by themselves in a month, each on its day."""
    last_on = min(month.last_day, story.now.astimezone(story.zone).date())
    for contract in contracts.to_renew(last_on):
        day = rules.ordered_on(contracts.term(contract))
        at = start_of_day(day, story.zone) + timedelta(hours=1)
        if at <= story.now:
            renewals.renew(contract_id=contract.pk, now=at)


def _create(story: _Story, customer: Customer, at: datetime) -> None:
    organisation = accounts.create_organisation(
        accounts.NewOrganisation(
            reference=customer.reference,
            name=customer.name,
            country=customer.country,
            currency=customer.currency,
            language=customer.language,
            customer_since=at.astimezone(story.zone).date(),
            billing_postal_code=customer.postal_code,
            billing_address=customer.address,
        ),
        actor=ACTOR,
        now=at,
    )
    secret = shape.password(story.size.seed, customer.reference)
    for role, name, local in customer.people:
        email = f"{local}@{customer.domain}"
        accounts.register(
            organisation_id=organisation.pk,
            email=email,
            name=name,
            role=role,
            actor=ACTOR,
            now=at,
        )
        story.sign_ins.append(SignIn(role.value, email, secret, customer.name))
    people = User.objects.filter(memberships__organisation=organisation)
    people.update(password=_hashed(secret), last_login=at)
    if story.can_pay and customer.pays is not Pays.NOTHING:
        payers.register(customer, at)


def _staff(story: _Story) -> SignIn:
    secret = shape.password(story.size.seed, STAFF)
    user = User.objects.create_superuser(
        STAFF, secret, name="Shiosai Staff", registered_at=story.now
    )
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    audit.record(actor=ACTOR, action="staff.created", subject=str(user), at=story.now)
    return SignIn("staff", STAFF, secret, "back office")


def _rows(
    story: _Story, customers: Iterable[Customer], month: BillingMonth, until: datetime
) -> Iterator[Row]:
    days_in_all = sum(len(month.days()) for month in story.months)
    number = story.months.index(month) * LAST // (len(story.months) - 1)
    for customer in customers:
        calls = max(3, story.size.large_events // days_in_all) if customer.is_large else 3
        since = _since(story, customer)
        for day in month.days():
            if day < since:
                continue
            for event in shape.day_of(
                customer, day, month=number, seed=story.size.seed, calls=calls, zone=story.zone
            ):
                if event.occurred_at <= until:
                    yield Row(
                        0,
                        event.reference,
                        event.event_id,
                        event.meter,
                        event.occurred_at.isoformat(),
                        str(event.quantity),
                        None,
                    )


def _late_rows(story: _Story, month: BillingMonth) -> Iterator[Row]:
    for number, late in enumerate(LATE_EVENTS, 1):
        if story.month(late.month).next == month and _was_there(story, late):
            about = story.month(late.month)
            day = date(about.year, about.month, late.day)
            noon = start_of_day(day, story.zone) + timedelta(hours=12)
            yield Row(
                0,
                late.reference,
                f"{late.reference}-late-{number}",
                late.meter,
                noon.astimezone(story.zone).isoformat(),
                str(late.quantity),
                None
                if late.corrects is None
                else shape.event_id(late.reference, day, late.meter, late.corrects),
            )


def _was_there(story: _Story, late: LateEvent) -> bool:
    customer = next(customer for customer in CUSTOMERS if customer.reference == late.reference)
    about = story.month(late.month)
    return _since(story, customer) <= date(about.year, about.month, late.day)


def _ingest(story: _Story, rows: Iterator[Row], at: datetime) -> int:
    """Take events in as the product's would be taken in; return how many. Raises WentWrong."""
    taken = 0
    while some := list(islice(rows, MOST_EVENTS)):
        numbered = [row._replace(number=number) for number, row in enumerate(some, 1)]
        report = ingest(batches.of_rows(numbered), now=at, window=Window(latest=at))
        if report.accepted < len(some):
            raise WentWrong(f"usage was refused: {(report.rejected + report.conflicts)[:3]}")
        taken += report.accepted
    return taken
