from django.urls import path

from ordering.views import plan

urlpatterns = [
    path("plan/", plan.plan, name="plan"),
]
