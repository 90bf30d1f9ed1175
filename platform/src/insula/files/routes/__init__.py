"""``/api/v1/files``."""

from litestar import Router

from insula.files.routes import batch, content, files, links, trash, tus

ROUTER = Router(
    path="/api/v1/files",
    route_handlers=[
        *files.ROUTES,
        *content.ROUTES,
        *batch.ROUTES,
        *links.ROUTES,
        *trash.ROUTES,
        *tus.ROUTES,
    ],
    tags=["Files"],
)
