"""The Starlette application of the Python rows: a route with a parameter and a query, answered in JSON."""

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route


async def item(request):
    return JSONResponse({"number": request.path_params["number"], "q": request.query_params.get("q", "")})


app = Starlette(routes=[Route("/items/{number:int}", item)])
