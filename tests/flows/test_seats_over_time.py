"""Orders, payments, accounts, contracts and time in any order: the books say what plain lists say.

The root orders spot contracts and pays them, at once, late or never; renews, adds licences, withdraws,
goes back to the free plan, cancels and comes back; registers people, sends them away, chooses who stays.
Staff withdraw renewals, and jobs run on time, late, twice or never. After each step those are active who
should be by tests.flows.seat_world, asked without a write and carried out, and the money kept is what was
served. Rule: domain.md 3.5, 3.6, I11…I14.
"""

from contextlib import suppress
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import uuid4

import orjson
import pytest
from django.db import transaction
from django.db.models import Sum
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from accounts.models import Membership
from billing.queries.audit import OF_EVENTS
from cancellation import services as cancellation
from cancellation.queries import standing
from cancellation.services import closing
from core import books
from ordering import services as ordering
from ordering.queries.entitlements import entitlements
from ordering.rules.acts import Act, AddLicences, Renew, SetRenewal, Start, WithdrawRenewal
from ordering.rules.guards import Waiver
from ordering.services import spots as ordering_spots
from payments.enums import ChargeState, Initiator, PayableState, RefundState, Step
from payments.gateways.base import Account, Declined, Outcome, Pending, Refunded, Settled
from payments.models import Charge, Payable, Refund
from payments.queries import spots as spot_payments
from payments.services import charges, moves, refunds, spots
from plans import queries as plans
from plans.queries import contracts as stored
from plans.rules.timeline import Refusal
from plans.services import renewals
from seats.queries import access
from seats.services import accounts, choices, guard, settling
from spot_orders.models import SpotOrder
from spot_orders.rules.spot import Wish
from tests import make
from tests.cancellation.leaving import cancelled
from tests.flows.seat_world import FREE, STEP, TOKYO, Order, Person, Term, World, midnight
from tests.ordering import customers

BEGAN = date(2026, 1, 31)
NOON = datetime.combine(BEGAN, time(12), TOKYO)
STAFF = "user:1"
picks = st.integers(0, 7)


class Customer(RuleBasedStateMachine):
    """A customer with a month or a year of the paid plan from 31 January on; `world` is the belief."""

    def __init__(self) -> None:
        super().__init__()
        self.atomic = transaction.atomic()
        self.atomic.__enter__()
        plans.forget()
        guard.forget()

    @initialize(
        months=st.sampled_from([1, 12]),
        is_renewed=st.booleans(),
        steps=st.integers(1, 2),
        renews=st.booleans(),
        people=st.integers(0, 5),
        orders=st.lists(
            st.tuples(st.integers(0, 40), st.integers(1, 3), st.sampled_from(["at once", "later"])),
            max_size=2,
        ),
    )
    def begin(
        self,
        months: int,
        is_renewed: bool,
        steps: int,
        renews: bool,
        people: int,
        orders: list[tuple[int, int, str]],
    ) -> None:
        make.vendor()
        make.cancellation_terms()
        make.free_plan(accounts_per_step=FREE)
        version = make.plan_version("starter", accounts_per_step=STEP)
        self.organisation = make.organisation(customer_since=BEGAN, now=NOON)
        root = make.member(self.organisation, now=NOON)
        customers.method(self.organisation)
        make.main_contract(
            self.organisation, version, BEGAN, steps=steps, months=months, renews=renews, now=NOON
        )
        self.user_id = root.user_id
        self.rows = {0: root.pk}
        self.guests: list[str] = []
        self.world = World(
            NOON,
            [Person(0, root.user.email)],
            [Term(BEGAN, 0, months, [(NOON, steps)])],
            renews=renews,
        )
        if is_renewed:
            self.it_is_renewed(12, 1)
        for ahead, of, pays in orders:
            self.a_spot_order_is_placed(ahead, of, STEP, pays)
        self.people_are_registered(people, again=0)

    def teardown(self) -> None:
        try:
            if hasattr(self, "world"):
                self.all_jobs_run()
                self.who_is_active_is_who_should_be()
                left_out = {*OF_EVENTS}
                checks = [each for each in books.checks() if each not in left_out]
                assert [str(each) for each in books.breaches(among=checks)] == []
        finally:
            transaction.set_rollback(True)
            self.atomic.__exit__(None, None, None)

    @property
    def now(self) -> datetime:
        return self.world.now

    @property
    def actor(self) -> str:
        return f"user:{self.user_id}"

    # Time

    @rule(
        step=st.sampled_from(
            [
                timedelta(seconds=1),
                timedelta(hours=5),
                timedelta(hours=24),
                timedelta(days=2),
                timedelta(days=11),
                timedelta(days=27),
            ]
        )
    )
    def time_goes_by(self, step: timedelta) -> None:
        self.world.go_on(self.now + step)

    @rule(
        pick=picks, before=st.sampled_from([timedelta(), timedelta(seconds=1), timedelta(days=2)])
    )
    def something_ends_or_begins(self, pick: int, before: timedelta) -> None:
        world = self.world
        days = {each.first for each in world.terms} | {each.end for each in world.terms}
        days |= {day for each in world.orders for day in (each.first, each.until)}
        days |= {world.closed} if world.closed else set()
        coming = sorted(day for day in days if midnight(day) - before > self.now)
        if coming:
            world.go_on(midnight(coming[pick % len(coming)]) - before)

    # Spot orders and their money

    @rule(
        ahead=st.sampled_from([0, 0, 0, 1, 3, 20, 28, -1]),
        months=st.sampled_from([1, 1, 1, 2, 3, 4]),
        accounts_=st.sampled_from([3, 3, 3, 6, 4]),
        pays=st.sampled_from(["at once", "at once", "later", "no"]),
    )
    def a_spot_order_is_placed(self, ahead: int, months: int, accounts_: int, pays: str) -> None:
        world = self.world
        first = world.today + timedelta(days=ahead)
        wanted = Order(0, accounts_, first, months, self.now + timedelta(hours=24))
        earlier = world.waiting
        form = ordering_spots.Form(Wish(accounts_, first, months), None, uuid4())
        try:
            made = self._placed(form)
        except Refusal:
            assert not world.may_be_ordered(wanted)
            return
        except ordering_spots.PaymentUnderWay:
            assert world.may_be_ordered(wanted)
            assert earlier is not None
            assert earlier.pays or earlier.taken
            world.serve(earlier)
            assert earlier.pays or earlier.state == "paid"
            return
        assert world.may_be_ordered(wanted)
        if earlier is not None:
            assert not earlier.pays
            world.serve(earlier)
            assert earlier.state != "paid"
            earlier.state = "cancelled" if earlier.state == "placed" else earlier.state
        wanted.pk = made.pk
        assert (made.gross, made.end_on) == (wanted.gross, wanted.end)
        assert self._placed(form).pk == made.pk
        world.orders.append(wanted)
        if pays != "no":
            self.it_is_paid(at_once=pays == "at once")

    def _placed(self, form: ordering_spots.Form) -> SpotOrder:
        return ordering_spots.place(
            organisation_id=self.organisation.pk, user_id=self.user_id, form=form, now=self.now
        )

    @precondition(lambda self: self.world.waiting is not None)
    @rule(at_once=st.booleans())
    def it_is_paid(self, at_once: bool) -> None:
        order = self.world.waiting
        assert order is not None
        payable = Payable.objects.get(spot_order=order.pk)
        try:
            charge = charges.prepare(
                payable_id=payable.pk, initiator=Initiator.CUSTOMER, actor=self.actor, now=self.now
            )
        except charges.NotServable:
            assert order.lapses_at <= self.now or not self.world.may_be_served(order)
            return
        except (charges.AttemptUnderWay, charges.NotOwed):
            assert order.pays or order.taken
            return
        assert self.world.may_be_served(order)
        assert not order.pays
        moves.move_charge(
            charge,
            ChargeState.SENT,
            now=self.now,
            step=Step.CAPTURE,
            called_at=self.now,
            sent_at=self.now,
        )
        order.pays = True
        if at_once:
            self._told(order, self._taken(charge))
            self.what_is_taken_is_served()
        else:
            self._told(order, Pending("waits"))

    @precondition(lambda self: any(each.pays for each in self.world.orders))
    @rule(takes=st.sampled_from([True, True, False]), serves=st.booleans())
    def the_provider_decides(self, takes: bool, serves: bool) -> None:
        order = next(each for each in self.world.orders if each.pays)
        charge = Charge.objects.get(payable__spot_order=order.pk, state=ChargeState.PENDING)
        self._told(order, self._taken(charge) if takes else Declined("no"))
        if serves:
            self.what_is_taken_is_served()

    @precondition(lambda self: self.world.orders)
    @rule(job=st.sampled_from(["serve", "lapse", "give back"]))
    def a_job_looks_after_orders(self, job: str) -> None:
        jobs = {"serve": self.what_is_taken_is_served, "lapse": self.unpaid_orders_lapse}
        jobs.get(job, self.money_goes_back)()

    def what_is_taken_is_served(self) -> None:
        for payable_id, _ in spot_payments.to_serve():
            spots.serve(payable_id=payable_id, now=self.now)
            spots.serve(payable_id=payable_id, now=self.now)
        for order in self.world.orders:
            self.world.serve(order)

    def unpaid_orders_lapse(self) -> None:
        for order_id, _ in spot_payments.to_lapse(self.now):
            spots.lapse(order_id=order_id, now=self.now)
        for order in self.world.orders:
            is_late = order.state == "placed" and order.lapses_at <= self.now
            if is_late and not order.pays and not order.taken:
                order.state = "lapsed"

    def money_goes_back(self) -> None:
        for refund in Refund.objects.filter(state=RefundState.PREPARED):
            moves.move_refund(
                refund, RefundState.SENT, now=self.now, called_at=self.now, sent_at=self.now
            )
            done = Refunded(f"R-{refund.key}", refund.amount, refund.currency)
            refunds.settle(refund_id=refund.pk, outcome=done, now=self.now)
            refunds.settle(refund_id=refund.pk, outcome=done, now=self.now)

    def _taken(self, charge: Charge) -> Settled:
        return Settled(
            f"O-{charge.key}",
            f"C-{charge.key}",
            charge.amount,
            charge.currency,
            charge.key,
            charge.number,
            Account(charge.environment, charge.merchant),
        )

    def _told(self, order: Order, outcome: Outcome) -> None:
        charge = Charge.objects.filter(payable__spot_order=order.pk).latest("id")
        charges.settle(charge_id=charge.pk, outcome=outcome, now=self.now)
        charges.settle(charge_id=charge.pk, outcome=outcome, now=self.now)
        order.pays = isinstance(outcome, Pending)
        order.taken = isinstance(outcome, Settled)

    # The main contract

    @precondition(lambda self: self.world.last is not None)
    @rule(
        what=st.sampled_from(["cut", "renew", "add", "withdraw", "cut", "by itself", "switch"]),
        months=st.sampled_from([12, 1]),
        steps=st.integers(1, 2),
    )
    def the_contract_changes(self, what: str, months: int, steps: int) -> None:
        match what:
            case "renew":
                self.it_is_renewed(months, steps)
            case "add":
                self.licences_are_added(steps)
            case "by itself":
                self.it_is_renewed_by_itself()
            case "switch":
                self.it_renews_by_itself_or_returns_to_free(renews=steps == 1)
            case _:
                self.the_renewal_is_withdrawn(by_staff=what == "cut")

    def it_is_renewed(self, months: int, steps: int) -> None:
        world, last = self.world, self.world.last
        fits = last is not None and world.next is None and world.closed is None
        if self._ordered(Renew("starter", steps, months, is_confirmed=True)):
            assert fits
            assert last is not None
            term = Term(last.anchor, last.before + last.months, months, [])
            term.steps.append((midnight(term.first), steps))
            world.terms.append(term)
        else:
            assert not fits

    def licences_are_added(self, steps: int) -> None:
        world, today = self.world, self.world.today
        running = [each for each in world.terms if each.first <= today < each.end]
        next_month = (today.replace(day=1) + timedelta(days=31)).replace(day=1)
        fits = bool(running) and (world.closed is None or next_month < world.closed)
        if self._ordered(AddLicences(steps)):
            assert fits
            for each in world.terms:
                if each.end > today:
                    each.steps.append((max(self.now, each.steps[-1][0]), each.steps[-1][1] + steps))
        else:
            assert not fits

    def the_renewal_is_withdrawn(self, by_staff: bool) -> None:
        world, coming = self.world, self.world.next
        depends = coming is not None and world.depends_on_renewal(coming.first)
        fits = coming is not None and not world.is_closed and (by_staff or not depends)
        if self._ordered(WithdrawRenewal(is_confirmed=True), by_staff=by_staff):
            assert fits
            assert coming is not None
            world.terms.remove(coming)
            world.renews = False
            if by_staff:
                world.cut(coming.first)
        else:
            assert not fits

    def it_renews_by_itself_or_returns_to_free(self, renews: bool) -> None:
        world = self.world
        fits = world.last is not None and world.renews is not renews and not world.is_closed
        fits = fits and (world.closed is None or not renews)
        if self._ordered(SetRenewal(renews, is_confirmed=True)):
            assert fits
            world.renews = renews
        else:
            assert not fits

    @precondition(lambda self: self.world.last is None)
    @rule(ahead=st.sampled_from([0, 0, 9]), months=st.sampled_from([1, 12]), renews=st.booleans())
    def a_contract_is_started(self, ahead: int, months: int, renews: bool) -> None:
        world = self.world
        first = world.today + timedelta(days=ahead)
        if self._ordered(Start("starter", 1, first, months, renews)):
            assert world.closed is None
            at = self.now if ahead == 0 else midnight(first)
            world.terms.append(Term(first, 0, months, [(at, 1)]))
            world.renews = renews
        else:
            assert world.closed is not None

    def it_is_renewed_by_itself(self) -> None:
        world, last = self.world, self.world.last
        for contract in stored.to_renew(world.today):
            with suppress(renewals.CannotRenew):
                renewals.renew(contract_id=contract.pk, now=self.now)
        if last is None or not world.renews or (world.closed and world.closed <= last.end):
            return
        if world.today >= last.end - timedelta(days=30 if last.months == 12 else 7):
            term = Term(last.anchor, last.before + last.months, last.months, [])
            term.steps.append((midnight(term.first), last.steps[-1][1]))
            world.terms.append(term)

    def _ordered(self, act: Act, *, by_staff: bool = False) -> bool:
        """Order as the root does, or staff for a reason; return whether it was not refused."""
        waivers = {Waiver.SPOTS} if by_staff else set()
        organisation_id = self.organisation.pk
        try:
            shown = ordering.review(
                organisation_id=organisation_id,
                user_id=self.user_id,
                act=act,
                now=self.now,
                waivers=waivers,
            )
        except Refusal:
            return False
        for _ in range(2):
            saved = ordering.save(
                organisation_id=organisation_id,
                review_id=shown.public_id,
                actor=STAFF if by_staff else self.actor,
                now=self.now,
                reason="They asked." if by_staff else "",
                waivers=waivers,
            )
            assert isinstance(saved, ordering.Saved)
        return True

    # The end of it all

    @rule(act=st.sampled_from(["close", "close", "close", "cancel", "withdraw", "come back"]))
    def it_comes_to_an_end_or_not(self, act: str) -> None:
        closed = self.world.closed
        if act == "cancel" and closed is None:
            self.it_is_cancelled()
        elif act == "withdraw" and closed is not None:
            self.the_cancellation_is_withdrawn()
        elif act == "come back" and self.world.is_closed:
            self.they_come_back()
        else:
            self.what_is_over_is_closed()

    def it_is_cancelled(self) -> None:
        # It was shown two minutes ago: in another month it would be another last day.
        self.world.go_on(self.now + timedelta(minutes=2))
        if (self.now - timedelta(minutes=2)).astimezone(TOKYO).date() != self.world.today:
            return
        found = cancelled(self.organisation, self.now)
        self.world.closed = (self.world.today.replace(day=1) + timedelta(days=31)).replace(day=1)
        assert found.end_on == self.world.closed

    def the_cancellation_is_withdrawn(self) -> None:
        with suppress(cancellation.TooLate):
            cancellation.withdraw(
                organisation_id=self.organisation.pk, user_id=self.user_id, now=self.now
            )
            assert not self.world.is_closed
            self.world.closed = None
            return
        assert self.world.is_closed

    def they_come_back(self) -> None:
        with suppress(cancellation.NothingToReopen):
            cancellation.reopen(organisation_id=self.organisation.pk, actor=STAFF, now=self.now)
            self.world.closed = None
            return
        assert self.world.closed is not None
        assert self.now == midnight(self.world.closed)

    def what_is_over_is_closed(self) -> None:
        for found in standing.to_close(self.world.today):
            closing.close(cancellation_id=found.pk, now=self.now)
        order, closed = self.world.waiting, self.world.closed
        if order is None or closed is None or order.end <= closed:
            return
        with suppress(charges.AttemptUnderWay):
            closing.give_up_order(order_id=order.pk, now=self.now)
        self.world.serve(order)
        if order.state == "placed" and not order.pays:
            order.state = "cancelled"

    # Accounts

    @rule(count=st.integers(1, 3), again=st.sampled_from([0, 0, 1]))
    def people_are_registered(self, count: int, again: int) -> None:
        """Register new people, or one again whose account was deleted."""
        known = {each.email for each in self.world.people}
        gone = [email for email in self.guests if email not in known]
        for _ in range(count):
            self.guests.append(f"guest-{len(self.guests)}@example.com")
            self._register(self.guests[-1])
        for email in gone[:again]:
            self._register(email)

    def _register(self, email: str) -> None:
        world = self.world
        try:
            row = accounts.register(
                organisation_id=self.organisation.pk,
                email=email.upper(),
                name="",
                actor=self.actor,
                now=self.now,
            )
        except accounts.Full:
            assert not world.has_room()
            return
        assert world.has_room()
        person = Person(world.registered, email)
        world.registered += 1
        world.people.append(person)
        self.rows[person.number] = row.pk

    @precondition(lambda self: self.world.others)
    @rule(
        what=st.sampled_from(["bring back", "deactivate", "delete"]),
        chosen=st.lists(picks, min_size=1, max_size=3),
    )
    def accounts_change(self, what: str, chosen: list[int]) -> None:
        match what:
            case "bring back":
                self.people_are_brought_back(chosen)
            case "deactivate":
                self.people_are_deactivated(chosen)
            case _:
                self.somebody_is_deleted(chosen[0])

    def people_are_deactivated(self, chosen: list[int]) -> None:
        people = self._picked(chosen)
        accounts.deactivate(**self._of(people))
        for each in people:
            each.is_active = False

    def people_are_brought_back(self, chosen: list[int]) -> None:
        people = self._picked(chosen)
        waiting = [each for each in people if not each.is_active]
        try:
            count = accounts.reactivate(**self._of(people))
        except accounts.Full:
            assert waiting
            assert not self.world.has_room(len(waiting))
            return
        assert count == len(waiting)
        assert not waiting or self.world.has_room(len(waiting))
        for each in waiting:
            each.is_active, each.is_in_group = True, False

    def somebody_is_deleted(self, pick: int) -> None:
        people = self._picked([pick])
        accounts.delete(**self._of(people))
        for each in people:
            self.world.delete(each)

    @precondition(lambda self: self.world.others)
    @rule(pick=picks, how=st.sampled_from(["keep", "let go", "rule"]))
    def the_root_chooses(self, pick: int, how: str) -> None:
        (person,) = self._picked([pick])
        do = {"keep": choices.protect, "let go": choices.let_go_first, "rule": choices.follow_rule}
        try:
            do[how](
                organisation_id=self.organisation.pk,
                account=Membership.objects.get(pk=self.rows[person.number]).public_id,
                actor=self.actor,
                now=self.now,
            )
        except choices.NotThere:
            assert not person.is_active
            return
        assert person.is_active
        person.is_kept = how == "keep"
        going = [each for each in self.world.going if each is not person]
        self.world.going = [person, *going] if how == "let go" else going

    @rule(pick=picks)
    def somebody_comes_in(self, pick: int) -> None:
        person = self.world.people[pick % len(self.world.people)]
        user = Membership.objects.select_related("user").get(pk=self.rows[person.number]).user

        came_in = guard.settle_for(user, self.now) and access.may_enter(user)

        assert came_in is person.is_active

    def _picked(self, chosen: list[int]) -> list[Person]:
        others = self.world.others
        return list(
            {each.number: each for each in (others[pick % len(others)] for pick in chosen)}.values()
        )

    def _of(self, people: list[Person]) -> dict[str, Any]:
        return {
            "organisation_id": self.organisation.pk,
            "membership_ids": [self.rows[each.number] for each in people],
            "actor": self.actor,
            "now": self.now,
        }

    # Jobs

    @rule(behind=st.sampled_from([0, 0, 2, 20]), then=st.booleans())
    def ends_are_carried_out(self, behind: int, then: bool) -> None:
        """Run the job twice, as of some days ago, and then as of now or not."""
        for at in [self.now - timedelta(days=behind)] * 2 + [self.now] * then:
            settling.settle_range(first_id=0, last_id=10**12, now=at)

    def all_jobs_run(self) -> None:
        self.what_is_taken_is_served()
        self.unpaid_orders_lapse()
        self.what_is_over_is_closed()
        self.ends_are_carried_out(0, then=True)
        self.money_goes_back()

    # What holds after each step

    @invariant()
    def who_is_active_is_who_should_be(self) -> None:
        expected = {self.rows[each.number] for each in self.world.active}
        in_group = {self.rows[each.number] for each in self.world.people if each.is_in_group}
        members = Membership.objects.select_related("organisation").filter(
            organisation=self.organisation
        )
        assert {each.pk for each in members if access.stays(each, self.now)} == expected
        with transaction.atomic():
            settling.settle(organisation_id=self.organisation.pk, now=self.now)
            assert set(members.filter(deactivated_at=None).values_list("pk", flat=True)) == expected
            group = members.filter(deactivation_id__isnull=False)
            assert set(group.values_list("pk", flat=True)) == in_group
            transaction.set_rollback(True)

    @invariant()
    def the_product_is_told_what_is_allowed(self) -> None:
        told = entitlements(self.organisation.reference, organisation_id=None, now=self.now)
        assert told is not None
        answer = orjson.loads(told.body)
        # A closed organisation's root looks at its bills; the product is not used any more.
        allowed = 0 if self.world.is_closed else self.world.allowed(self.now)
        assert answer["accounts"] == {"allowed": allowed, "in_use": len(self.world.active)}
        closed = self.world.closed
        assert answer["closed_on"] == (closed.isoformat() if closed else None)

    @invariant()
    def the_money_kept_is_what_was_served(self) -> None:
        captured = _sum(Charge.objects.filter(state=ChargeState.SUCCEEDED))
        back = _sum(Refund.objects.exclude(state__in=[RefundState.FAILED, RefundState.REJECTED]))
        assert captured - back == sum(each.kept for each in self.world.orders)
        states = dict(SpotOrder.objects.values_list("pk", "state"))
        assert states == {each.pk: each.state for each in self.world.orders}
        owed = Payable.objects.filter(state=PayableState.OPEN, captured__gte=1)
        assert not owed.exclude(spot_order__state="placed").exists()


def _sum(rows: Any) -> int:
    return int(rows.aggregate(sum=Sum("amount"))["sum"] or 0)


@pytest.mark.django_db
def test_books_say_what_plain_lists_say() -> None:
    run_state_machine_as_test(
        Customer,
        settings=settings(
            max_examples=20,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
