from datetime import datetime

from django.db import transaction

from accounts import services as accounts
from accounts.enums import Changed
from core import audit
from plans.models import PlanPrice, PlanVersion, Selection


class NoPrice(LookupError):
    """The version has no price in the organisation's currency."""


class StartsTooEarly(ValueError):
    """The selection would begin at or before one that the category has already."""


@transaction.atomic
def select_plan(
    *,
    organisation_id: int,
    version_id: int,
    steps: int,
    from_at: datetime,
    actor: str,
    now: datetime,
) -> Selection:
    """Select a plan version from an instant on; what runs in its category ends at that instant.

    Selecting what runs already, with as many steps, changes nothing and returns it.
    Raises NoPrice or StartsTooEarly, PlanVersion.DoesNotExist, Organisation.DoesNotExist, and has
    then changed nothing. Rule: S1-25, B-12.
    """
    organisation = accounts.lock(organisation_id)
    version = PlanVersion.objects.select_related("plan").get(pk=version_id)
    if not PlanPrice.objects.filter(version=version, currency=organisation.currency).exists():
        raise NoPrice(f"{version} has no price in {organisation.currency}")

    category = version.plan.category
    last = (
        Selection.objects.filter(organisation=organisation, category=category)
        .order_by("-from_at")
        .first()
    )
    if last is not None:
        if _is_running(last, version, steps, from_at):
            return last
        if last.from_at >= from_at:
            raise StartsTooEarly(f"{category} of organisation {organisation.pk}: {from_at}")
        if last.until_at is None or last.until_at > from_at:
            last.until_at = from_at
            last.save(update_fields=["until_at"])

    selection = Selection.objects.create(
        organisation=organisation,
        category=category,
        plan_version=version,
        steps=steps,
        from_at=from_at,
    )
    audit.record(
        actor=actor,
        action="plan.selected",
        subject=f"selection:{selection.pk}",
        organisation_id=organisation.pk,
        at=now,
        details={"version": str(version), "steps": steps, "from_at": from_at.isoformat()},
    )
    accounts.tell_entitlements_changed([organisation], reason=Changed.PLAN, now=now)
    return selection


def _is_running(last: Selection, version: PlanVersion, steps: int, from_at: datetime) -> bool:
    return (
        last.plan_version_id == version.pk
        and last.steps == steps
        and last.from_at <= from_at
        and last.until_at is None
    )
