from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

import credits.api.urls
import trackers.api.gong.documents
from credits.views import follow_sign_in_link

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:credits_page")),
    path("sign-in/<str:secret>/", follow_sign_in_link, name="sign_in"),
    path("admin/", admin.site.urls),
    path("api/", include("credits.api.urls")),
    path("api/", include("billing.api.urls")),
    path("v2/", include("trackers.api.gong.urls")),
    path("api/", include("trackers.api.urls")),
    path("docs/v2-schema.json", trackers.api.gong.documents.show, name="gong_schema"),
    path("docs/problems/", include(credits.api.urls.problem_urlpatterns)),
]
