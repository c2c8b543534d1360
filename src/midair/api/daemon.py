"""The control plane itself."""

from msgspec.structs import replace

from midair.api.endpoint import Call, Endpoint
from midair.view.ask import AskPath, AskRestart, AskSettings
from midair.view.daemon import BackupView, Done, Health


async def health(call: Call) -> Health:
    return replace(call.engine.health(), settings=call.control.settings)


async def stop(call: Call) -> Done:
    call.control.stop()
    return Done("the daemon ends; replicas and routers go on")


async def restart(call: Call) -> Done:
    await call.control.restart(call.body.python)
    return Done("a successor takes over")


async def settings(call: Call) -> Health:
    await call.control.change_settings(call.body.settings)
    return await health(call)


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
    Endpoint("POST", "/v1/daemon/settings", "Change settings of the daemon", settings, Health, AskSettings),
    Endpoint("POST", "/v1/backup", "Write the whole state into a file", backup, BackupView, AskPath),
    Endpoint("POST", "/v1/restore", "Put the state of a backup in place", restore, BackupView, AskPath),
)
