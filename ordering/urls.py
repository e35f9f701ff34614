from django.urls import path

from ordering.views import accounts, change, plan, reviewing

urlpatterns = [
    path("plan/", plan.plan, name="plan"),
    path("plan/accounts/", accounts.in_use, name="plan_accounts"),
    path("plan/<str:category>/", change.change, name="plan_change"),
    path("orders/<uuid:review>/", reviewing.review, name="order_review"),
    path("orders/<uuid:review>/receipt/", reviewing.receipt, name="order_receipt"),
]
