from django.urls import path

from demo import views

urlpatterns = [
    path("mails/", views.mails, name="mails"),
    path("mails/<int:mail>/", views.mail, name="mail"),
    path("mails/<int:mail>/html/", views.mail_html, name="mail_html"),
]
