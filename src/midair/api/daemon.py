"""The control plane itself."""

from midair.api.endpoint import Call, Endpoint
from midair.view.ask import AskPath, AskRestart
from midair.view.daemon import BackupView, Done, Health


async def health(call: Call) -> Health:
    return call.engine.health()


async def stop(call: Call) -> Done:
    call.control.stop()
    return Done("the daemon ends; replicas and routers go on")


async def restart(call: Call) -> Done:
    await call.control.restart(call.body.python)
    return Done("a successor takes over")


async def backup(call: Call) -> BackupView:
    return await call.engine.backup(call.body.path)


async def restore(call: Call) -> BackupView:
    async def is_wanted() -> bool:
        return not await call.request.is_disconnected()

    return await call.engine.restore(call.body.path, is_wanted)


ENDPOINTS = (
    Endpoint("GET", "/v1/health", "Who answers, and whether it can work", health, Health),
    Endpoint("POST", "/v1/daemon/stop", "End the daemon; replicas and routers go on", stop, Done),
    Endpoint("POST", "/v1/daemon/restart", "Put a new process in the daemon's place", restart, Done, AskRestart),
    Endpoint("POST", "/v1/backup", "Write the whole state into a file", backup, BackupView, AskPath),
    Endpoint("POST", "/v1/restore", "Put the state of a backup in place", restore, BackupView, AskPath),
)
