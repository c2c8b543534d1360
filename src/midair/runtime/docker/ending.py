"""The ordered end of a container: `pre_stop` inside it, stop signal, grace period, kill."""

import aiodocker
from aiodocker.exceptions import DockerError

from midair.errors import RuntimeTrouble
from midair.model.action import StopReplica
from midair.model.project import Hook
from midair.runtime.docker.client import trouble

_HOOK_S = 600.0


async def run_hook(client: aiodocker.Docker, container: str, hook: Hook) -> None:
    """Run a hook inside the container. Raises RuntimeTrouble when it ends with anything but 0."""
    async with trouble(f'run a hook in container "{container[:12]}"'):
        found = client.containers.container(container)
        execution = await found.exec(
            list(hook.command),
            environment={**hook.environment},
            workdir=hook.working_dir,
            user=hook.user or "",
        )
        async with execution.start(detach=False, timeout=_HOOK_S) as stream:
            last = b""
            while (message := await stream.read_out()) is not None:
                last = message.data
        code = (await execution.inspect()).get("ExitCode")
    if code:
        raise RuntimeTrouble(
            f'cannot run hook "{hook.command[0]}": it ended with {code}: {last.decode()[-200:].strip()}'
        )


async def end(client: aiodocker.Docker, container: str, action: StopReplica, hooks: tuple[Hook, ...]) -> None:
    """Bring the container to its end; harmless when it has ended. A failing `pre_stop` does not keep it up."""
    for hook in hooks:
        try:
            await run_hook(client, container, hook)
        except RuntimeTrouble:
            continue
    async with trouble(f'stop container "{container[:12]}"'):
        try:
            await _stop(client, container, action)
        except DockerError as error:
            if error.status not in (304, 404):
                raise


async def _stop(client: aiodocker.Docker, container: str, action: StopReplica) -> None:
    # Engines before 23 take the signal from the container alone, so a signal that was changed live is sent by hand
    # first; the stop that follows waits out the grace period and kills.
    found = await client.containers.container(container).show()
    if action.signal != (found["Config"].get("StopSignal") or "SIGTERM"):
        await client.containers.container(container).kill(signal=action.signal)
    await client.containers.container(container).stop(t=round(action.grace_s), timeout=action.grace_s + 30)
