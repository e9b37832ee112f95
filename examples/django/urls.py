"""Where things are."""

from __future__ import annotations

from django.urls import path
from episodes import views

urlpatterns = [
    path("episodes", views.create),
    path("episodes/<int:number>", views.show),
    path("episodes/<int:number>/publish", views.publish),
    path("hooks/longtake", views.told),
]
