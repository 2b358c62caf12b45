"""The shop as an app on a phone: its manifest, the worker that knows one page by heart, and that page."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from storefront import forms, i18n
from storefront.forms import Form, page
from storefront.rendering import HERE, render, static


@page("GET", "/app.webmanifest", name="app_manifest")
def app_manifest(request: Request, form: Form) -> Response:
    """In the reader's language; browsers fetch it with their cookies."""
    with i18n.speaking(request.state.lang):
        told = {
            "name": i18n.gettext("Haoka number cards"),
            "short_name": i18n.gettext("Haoka"),
            "description": i18n.gettext("Pick your phone number, a plan and perhaps a handset."),
            "lang": "zh-CN" if request.state.lang == "zh" else "en",
            "id": "/",
            "start_url": "/",
            "scope": "/",
            "display": "standalone",
            "background_color": "#f7f6f2",
            "theme_color": "#f7f6f2",
            "icons": [
                {"src": static("icon-192.png"), "sizes": "192x192", "type": "image/png", "purpose": "any"},
                {
                    "src": static("icon-512.png"),
                    "sizes": "512x512",
                    "type": "image/png",
                    "purpose": "any maskable",
                },
                {"src": static("icon.svg"), "sizes": "any", "type": "image/svg+xml", "purpose": "any"},
            ],
            "shortcuts": [{"name": i18n.gettext("My orders"), "url": "/account"}],
        }
    return JSONResponse(
        told, media_type="application/manifest+json", headers={"Cache-Control": "private, max-age=3600"}
    )


@page("GET", "/worker.js", name="app_worker")
def worker(request: Request, form: Form) -> Response:
    """From the root, since a worker rules no folder above its own."""
    body = (HERE / "static" / "worker.js").read_bytes()
    return Response(body, media_type="text/javascript", headers={"Cache-Control": "no-cache"})


@page("GET", "/offline", name="offline")
def offline(request: Request, form: Form) -> Response:
    return render(request, "offline.html")


routes = forms.routes([app_manifest, worker, offline])
