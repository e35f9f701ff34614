from django.urls import path

from ordering.views import (
    change,
    contract,
    leaving,
    orders,
    plan,
    reviewing,
    spot_cover,
    spot_payment,
    spot_quote,
    spots,
)

_SPOT = "orders/spot/"

urlpatterns = [
    path("contract/dates.ics", contract.dates, name="contract_ics"),
    path("orders/", orders.menu, name="order"),
    path("orders/start/", orders.order(orders.START), name="order_start"),
    path("orders/licences/", orders.order(orders.LICENCES), name="order_licences"),
    path("orders/renew/", orders.order(orders.RENEW), name="order_renew"),
    path("orders/renewal/", orders.order(orders.RENEWAL), name="order_renewal"),
    path("orders/withdraw/", orders.order(orders.WITHDRAW), name="order_withdraw"),
    path("orders/return/", orders.order(orders.RETURN), name="order_return"),
    path(_SPOT, spots.settings, name="order_spot"),
    path(f"{_SPOT}cover/", spot_cover.cover, name="order_spot_cover"),
    path(f"{_SPOT}quote.pdf", spot_quote.quote, name="order_spot_quote"),
    path(f"{_SPOT}<uuid:order>/", spot_payment.order, name="order_spot_order"),
    path(f"{_SPOT}<uuid:order>/payment/", spot_payment.payment, name="order_spot_payment"),
    path(f"{_SPOT}<uuid:order>/give-up/", spot_payment.give_up, name="order_spot_give_up"),
    path("accounts/leaving/", leaving.who_leaves, name="accounts_leaving"),
    path("plan/", plan.plan, name="plan"),
    path("plan/<str:category>/", change.change, name="plan_change"),
    path("orders/<uuid:review>/", reviewing.review, name="order_review"),
    path("orders/<uuid:review>/receipt/", reviewing.receipt, name="order_receipt"),
]
