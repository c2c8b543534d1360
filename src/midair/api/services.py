"""An operator's wishes about one service, and its router."""

from midair.api.endpoint import Call, Endpoint
from midair.model.rollout import Abort, Pause, Promote, Resume, SetHold, Wish
from midair.view.ask import AskWish, WishName
from midair.view.daemon import Done

WISHES: dict[WishName, Wish] = {
    "pause": Pause(),
    "resume": Resume(),
    "promote": Promote(),
    "abort": Abort(),
    "hold": SetHold(True),
    "release": SetHold(False),
}


async def wish(call: Call) -> Done:
    ask: AskWish = call.body
    call.engine.keeper(call.project).wish(call.path("service"), WISHES[ask.wish], ask.wish)
    return Done(f"{ask.wish} asked for")


async def restart_router(call: Call) -> Done:
    await call.engine.keeper(call.project).world.restart_router()
    return Done("the router was restarted")


ENDPOINTS = (
    Endpoint(
        "POST",
        "/v1/projects/{project}/services/{service}/wish",
        "Pause, resume, promote or abort a rollout; hold or release requests",
        wish,
        Done,
        AskWish,
    ),
    Endpoint(
        "POST", "/v1/projects/{project}/router/restart", "Put a new router in the place of the running one",
        restart_router, Done,
    ),
)  # fmt: skip
