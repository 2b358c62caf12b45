"""Static files: those asked for by their digest are kept by browsers for ever."""

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

_FOR_EVER = "public, max-age=31536000, immutable"


class Assets(StaticFiles):
    """`?v=` carries the digest of the content (rendering.static), so what is under such an address never changes."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        answer = await super().get_response(path, scope)
        if answer.status_code == 200:
            answer.headers["Cache-Control"] = (
                _FOR_EVER if scope["query_string"].startswith(b"v=") else "no-cache"
            )
        return answer
