"""The two messages that Celery carries: look for due work, and (each minute) find what is due."""

from datetime import datetime
from importlib import import_module

from celery import shared_task
from django.conf import settings

from core import clock, mail, webhooks, work

# One message keeps a worker for so long at most; what is left is woken again. A worker that is told
# to stop finishes its message first, so that this is also how long a restart waits.
PIECES = 100
SECONDS = 3.0


@shared_task(name="core.look", ignore_result=True)
def look() -> None:
    """Do due work of the queue that this message came through."""
    info = look.request.delivery_info
    queue = (info.get("routing_key") if info else None) or work.DEFAULT_QUEUE
    work.beat(f"worker:{queue}", clock.now())
    done = work.run_due([queue], limit=PIECES, seconds=SECONDS)
    # A look that found nothing to do never wakes another: doubled messages die out (F27).
    if done and work.due_count(queue, clock.now()):
        work.wake(queue)


@shared_task(name="core.tick", ignore_result=True)
def tick() -> None:
    """Find what is due and wake as many workers as there is work for."""
    now = clock.now()
    work.plan(now)
    for queue in work.QUEUES:
        for _ in range(min(work.due_count(queue, now), work.WAKES)):
            work.wake(queue)


@work.plans_work
def clean_up(now: datetime) -> None:
    work.forget_done(now)
    mail.forget_sent(now)
    webhooks.forget_delivered(now)
    sessions = import_module(settings.SESSION_ENGINE).SessionStore.get_model_class()
    sessions.objects.filter(expire_date__lt=now).delete()


@work.handles(mail.SEND_MAIL)
def send_mail(payload: work.Payload, now: datetime) -> None:
    try:
        mail.deliver(mail_id=int(str(payload["mail_id"])), now=now)
    except mail.ServerAway as fault:
        raise work.Passing(str(fault)) from fault
    except mail.Refused as fault:
        raise work.Park(f"The mail server refuses it: {fault}") from fault


@work.handles(webhooks.DELIVER)
def deliver_webhook(payload: work.Payload, now: datetime) -> None:
    try:
        webhooks.deliver(delivery_id=int(str(payload["delivery_id"])), now=now)
    except webhooks.Later as later:
        raise work.NotYet(later.at) from later
    except webhooks.GivenUp as fault:
        raise work.Park(f"The webhook's endpoint did not take it for days: {fault}") from fault
