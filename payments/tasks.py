"""What collecting, refunds, methods and their letters do when they are woken. Rule: R1."""

from datetime import date, datetime, timedelta

from core import work
from payments import jobs
from payments.gateways.base import AnswerLost, GatewayMisconfigured, GatewayUnreachable
from payments.gateways.registry import NoSuchGateway
from payments.services import (
    announcing,
    charges,
    checking,
    collecting,
    journeys,
    methods,
    notices,
    paying,
    receipts,
    reconcile,
    refunds,
    serving,
    spots,
)
from payments.services.charges import AccountDiffers


@work.plans_work
def plan_collection(now: datetime) -> None:
    collecting.take_up(now)
    collecting.plan(now)
    paying.plan(now)


@work.handles(jobs.COLLECT)
def collect(payload: work.Payload, now: datetime) -> None:
    payable_id = int(str(payload["payable_id"]))
    serving.return_surplus(payable_id=payable_id, now=now)
    try:
        charges.collect(payable_id=payable_id, now=now)
    except charges.NotNow as later:
        raise work.NotYet(later.again_at) from later
    except charges.AccountDiffers as fault:
        raise work.Park(f"It belongs to another account than the settings name: {fault}") from fault


@work.handles(jobs.LOOK)
def look(payload: work.Payload, now: datetime) -> None:
    try:
        charges.look(charge_id=int(str(payload["charge_id"])), now=now)
    except charges.ForAPerson as fault:
        raise work.Park(f"Nobody can say what became of it: {fault}") from fault
    except charges.AccountDiffers as fault:
        raise work.Park(f"It belongs to another account than the settings name: {fault}") from fault


@work.handles(jobs.MARK_OVERDUE)
def mark_overdue(payload: work.Payload, now: datetime) -> None:
    collecting.mark_overdue(payable_id=int(str(payload["payable_id"])), now=now)


@work.handles(jobs.CLOSE_VISIT)
def close_visit(payload: work.Payload, now: datetime) -> None:
    try:
        paying.leave_unfinished(
            payable_id=int(str(payload["payable_id"])), actor="system:collection", now=now
        )
    except charges.NotNow as later:
        raise work.NotYet(later.again_at) from later
    except charges.Stopped as why:
        raise work.NotYet(now + timedelta(hours=1)) from why
    except charges.AccountDiffers as fault:
        raise work.Park(f"It belongs to another account than the settings name: {fault}") from fault


@work.plans_work
def plan_spot_orders(now: datetime) -> None:
    spots.plan(now)


@work.handles(jobs.SERVE_SPOT)
def serve_spot(payload: work.Payload, now: datetime) -> None:
    serving.serve(payable_id=int(str(payload["payable_id"])), now=now)


@work.handles(jobs.LAPSE_SPOT)
def lapse_spot(payload: work.Payload, now: datetime) -> None:
    try:
        spots.lapse(order_id=int(str(payload["order_id"])), now=now)
    except charges.AttemptUnderWay as hindrance:
        raise work.NotYet(now + timedelta(minutes=5)) from hindrance
    except charges.NotNow as later:
        raise work.NotYet(later.again_at) from later
    except charges.Stopped as why:
        raise work.NotYet(now + timedelta(hours=1)) from why
    except charges.AccountDiffers as fault:
        raise work.Park(f"It belongs to another account than the settings name: {fault}") from fault


@work.handles(jobs.MAKE_RECEIPT)
def make_receipt(payload: work.Payload, now: datetime) -> None:
    receipts.make_document(charge_id=int(str(payload["charge_id"])), now=now)


@work.plans_work
def plan_letters(now: datetime) -> None:
    announcing.plan(now)


@work.handles(jobs.ANNOUNCE)
def announce(payload: work.Payload, now: datetime) -> None:
    ids = payload["payable_ids"]
    if not isinstance(ids, list):
        raise work.Park(f"payable_ids is no list: {ids!r}")
    announcing.announce(payable_ids=[int(str(each)) for each in ids], now=now)


@work.plans_work
def plan_refunds(now: datetime) -> None:
    refunds.plan(now)


@work.handles(jobs.REFUND)
def refund(payload: work.Payload, now: datetime) -> None:
    refunds.go_on(refund_id=int(str(payload["refund_id"])), now=now)


@work.plans_work
def plan_notices(now: datetime) -> None:
    notices.ask_for_processing(now)
    notices.forget_forged(now)


@work.handles(jobs.PROCESS_NOTICE)
def process_notice(payload: work.Payload, now: datetime) -> None:
    notices.process(notice_id=int(str(payload["notice_id"])), now=now)


@work.plans_work
def plan_methods(now: datetime) -> None:
    methods.plan(now)
    journeys.expire(now)


@work.handles(jobs.FINISH_JOURNEY)
def finish_journey(payload: work.Payload, now: datetime) -> None:
    journey_id = int(str(payload["journey_id"]))
    try:
        journeys.finish(journey_id=journey_id, now=now)
    except AccountDiffers as fault:
        raise work.Park(str(fault)) from None
    except (GatewayUnreachable, GatewayMisconfigured, AnswerLost) as fault:
        retry_after = fault.retry_after if isinstance(fault, AnswerLost) else None
        at = journeys.ask_again_at(journey_id=journey_id, now=now, retry_after=retry_after)
        if at is None:
            raise work.Park(f"what a payer approved is not known: {type(fault).__name__}") from None
        raise work.NotYet(at) from None


@work.handles(jobs.LOOK_AT_METHOD)
def look_at_method(payload: work.Payload, now: datetime) -> None:
    try:
        methods.look_at(method_id=int(str(payload["method_id"])), now=now)
    except AccountDiffers as fault:
        raise work.Park(str(fault)) from None
    except methods.ReviewTooLong as fault:
        raise work.Park(f"under review for 30 days; ask the provider: {fault}") from None


@work.handles(jobs.FORGET_PAYER)
def forget_payer(payload: work.Payload, now: datetime) -> None:
    try:
        methods.forget_payer(method_id=int(str(payload["method_id"])), now=now)
    except methods.ChargeUnderWay:
        raise work.NotYet(now + timedelta(hours=1)) from None
    except (AccountDiffers, GatewayMisconfigured) as fault:
        raise work.Park(f"{type(fault).__name__}: {fault}") from None
    except (GatewayUnreachable, AnswerLost) as fault:
        raise work.Passing(type(fault).__name__) from None


@work.plans_work
def plan_reconciliation(now: datetime) -> None:
    reconcile.plan(now)


@work.handles(jobs.RECONCILE)
def compare_books(payload: work.Payload, now: datetime) -> None:
    try:
        reconcile.reconcile_days(
            slug=str(payload["gateway"]),
            since=date.fromisoformat(str(payload["since"])),
            until=date.fromisoformat(str(payload["until"])),
            now=now,
        )
    except (GatewayUnreachable, AnswerLost) as fault:
        raise work.Passing(type(fault).__name__) from None
    except (GatewayMisconfigured, NoSuchGateway) as fault:
        raise work.Park(f"{type(fault).__name__}: {fault}") from None


@work.plans_work
def plan_check_of_books(now: datetime) -> None:
    checking.plan(now)


@work.handles(jobs.CHECK_BOOKS)
def check_books(payload: work.Payload, now: datetime) -> None:
    checking.check_books(now=now)
