"""The live page as an application of Flask: what it answers, and whom.

It answers browsers that show its own page, and programs of this machine. Images are asked for by number,
recipes are data; no name of a file and no code comes in.
"""

import json
from typing import Any

import flask
from werkzeug.exceptions import HTTPException

from augrng.python import as_python
from pipelines.live.album import Album
from pipelines.live.controls import catalogue
from pipelines.live.drawing import MOST_EPOCH, MOST_TILES, GoneError, Place, as_url, detail, tiles
from pipelines.live.recipes import MistakenError, composed, loaded
from pipelines.show.pictures import UnreadableImageError

MOST_BODY = 256 * 1024  # bytes of a request
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def application(album: Album, begins: dict[str, Any], port: int) -> flask.Flask:
    """The page and what it asks for.

    Args:
      album: the images that it may show.
      begins: the recipe that it begins with, of `said_of`.
      port: that it is asked at; every other Host is refused.
    """
    app = flask.Flask(__name__, static_folder="page", static_url_path="/page")
    app.config["MAX_CONTENT_LENGTH"] = MOST_BODY
    app.url_map.merge_slashes = False
    app.json.sort_keys = False  # type: ignore[attr-defined]  # draws stand in the recipe's order
    hosts = [f"{name}:{port}" for name in ("127.0.0.1", "localhost")]
    hosts += ["127.0.0.1", "localhost"] * (port == 80)

    @app.before_request
    def ours() -> None:
        _check_asker(flask.request, hosts)

    @app.after_request
    def safe(response: flask.Response) -> flask.Response:
        response.headers.update(_HEADERS)
        return response

    @app.get("/")
    def page() -> flask.Response:
        return app.send_static_file("index.html")

    @app.get("/start")
    def start() -> dict[str, Any]:
        images = [{"name": entry.name, "id": str(entry.id)} for entry in album.entries]
        return {"images": images, "recipe": begins, "catalogue": catalogue(), "most": MOST_TILES}

    @app.get("/originals/<int:image>")
    def one_original(image: int) -> dict[str, Any]:
        pixels = album.pixels(image)
        return {"picture": as_url(pixels), "size": pixels.shape[:2]}

    @app.post("/recipe")
    def recipe() -> dict[str, Any]:
        aug = composed(_recipe_of(_body()))
        return {"json": aug.to_json(), "python": as_python(aug), "names": list(aug.transforms)}

    @app.post("/load")
    def load() -> dict[str, Any]:
        text = _body().get("text")
        if not isinstance(text, str):
            flask.abort(400, f"text: must be text, got {type(text).__name__}")
        return {"recipe": loaded(text)}

    @app.post("/tiles")
    def some() -> dict[str, Any]:
        body = _body()
        places = body.get("tiles")
        if not isinstance(places, list) or not 1 <= len(places) <= MOST_TILES:
            flask.abort(400, f"tiles: must be a list of 1 to {MOST_TILES}")
        gone = flask.request.environ.get("waitress.client_disconnected", lambda: False)
        return {"tiles": tiles(album, composed(_recipe_of(body)), [_place(one) for one in places], gone)}

    @app.post("/tile")
    def one() -> dict[str, Any]:
        body = _body()
        return detail(album, composed(_recipe_of(body)), _place(body.get("tile")))

    # What a user types wrong is an answer like others: browsers log statuses of errors as the page's own.
    @app.errorhandler(MistakenError)
    def mistaken(error: MistakenError) -> tuple[dict[str, Any], int]:
        return {"mistakes": [mistake._asdict() for mistake in error.mistakes]}, 200

    @app.errorhandler(UnreadableImageError)
    @app.errorhandler(ValueError)
    def refused(error: Exception) -> tuple[dict[str, Any], int]:
        return {"error": str(error)}, 200

    @app.errorhandler(IndexError)
    def absent(error: IndexError) -> tuple[dict[str, Any], int]:
        return {"error": str(error)}, 404

    @app.errorhandler(GoneError)
    def gone(error: GoneError) -> tuple[dict[str, Any], int]:
        return {"error": "nobody waits for this"}, 499

    @app.errorhandler(HTTPException)
    def failed(error: HTTPException) -> tuple[dict[str, Any], int]:
        return {"error": error.description or error.name}, error.code or 500

    return app


def _check_asker(request: flask.Request, hosts: list[str]) -> None:
    """Refuses what another site's page may send: by a name of its own that leads here, or from elsewhere."""
    if request.method not in ("GET", "HEAD", "POST"):
        flask.abort(405)
    if request.headers.get("Host") not in hosts:
        flask.abort(403, f"this server answers as {hosts[0]} alone")
    origin = request.headers.get("Origin")
    if origin is not None and origin not in [f"http://{host}" for host in hosts]:
        flask.abort(403, "this server answers its own page alone")
    site = request.headers.get("Sec-Fetch-Site", "none")
    opens = request.path == "/" and request.headers.get("Sec-Fetch-Mode") == "navigate"
    if site not in ("same-origin", "none") and not (opens and request.method == "GET"):
        flask.abort(403, "this server answers its own page alone")
    if request.method == "POST" and request.mimetype != "application/json":
        flask.abort(415, "the body must be JSON, of the type application/json")


def _body() -> dict[str, Any]:
    try:
        body = flask.request.get_json()
    except RecursionError:
        flask.abort(400, "the body is nested too deeply")
    if not isinstance(body, dict):
        flask.abort(400, "the body must be a JSON object")
    return body


def _recipe_of(body: dict[str, Any]) -> str:
    return json.dumps(body.get("recipe"), sort_keys=True)


def _place(said: Any) -> Place:
    good = isinstance(said, list) and len(said) == 2 and all(type(number) is int for number in said)
    if not good or not 0 <= said[1] <= MOST_EPOCH:
        flask.abort(400, f"tiles: must be pairs of an image's number and an epoch of 0 to {MOST_EPOCH}")
    return Place(*said)
