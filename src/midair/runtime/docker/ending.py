"""The ordered end of a container: `pre_stop` inside it, stop signal, grace period, kill."""

import asyncio
from contextlib import suppress
from typing import Any

import aiodocker
from aiodocker.containers import DockerContainer
from aiodocker.exceptions import DockerError

from midair.errors import RuntimeTrouble
from midair.model.project import Hook, Service
from midair.runtime.check_name import check_name
from midair.runtime.docker.client import trouble
from midair.runtime.docker.container import stop_signal_of
from midair.runtime.error_line import error_line


async def run_hook(client: aiodocker.Docker, container: str, hook: Hook) -> None:
    """Run a hook inside the container, however long it takes. Raises RuntimeTrouble when it does not end with 0."""
    async with trouble(f'run a hook in container "{container[:12]}"'):
        found = client.containers.container(container)
        execution = await found.exec(
            list(hook.command),
            environment={**hook.environment},
            workdir=hook.working_dir,
            user=hook.user or "",
            privileged=hook.privileged,
        )
        async with execution.start(detach=False) as stream:
            last = b""
            while (message := await stream.read_out()) is not None:
                last = message.data
        code = (await execution.inspect()).get("ExitCode")
    if code is None:
        raise RuntimeTrouble(f"{check_name(hook.command)} did not end before the container")
    if code:
        line = error_line(last.decode(errors="replace"))
        raise RuntimeTrouble(f"{check_name(hook.command)} ended with code {code}" + (f": {line}" if line else ""))


async def end(client: aiodocker.Docker, container: str, signal: str, grace_s: float, hooks: tuple[Hook, ...]) -> None:
    """Bring the container to its end; harmless when it has ended. A failing `pre_stop` does not keep it up.

    Hooks have one grace period together, the signal a whole one of its own. Raises RuntimeTrouble.
    """
    await _leave_down(client, container)
    with suppress(TimeoutError, RuntimeTrouble):
        async with asyncio.timeout(grace_s):
            for hook in hooks:
                with suppress(RuntimeTrouble):
                    await run_hook(client, container, hook)
    async with trouble(f'stop container "{container[:12]}"'):
        try:
            await _stop(client.containers.container(container), signal, grace_s)
        except DockerError as error:
            if error.status not in (304, 404, 409):  # it has ended
                raise


def signal_for(service: Service | None, container: dict[str, Any], signal: str) -> str:
    """The signal that the file sets, else the container's: its image names the one that ends it in order."""
    is_set = signal != "SIGTERM" if service is None else bool(service.fields.get("stop_signal"))
    return signal if is_set else stop_signal_of(container)


async def _leave_down(client: aiodocker.Docker, container: str) -> None:
    """Nothing but midair may start it from now on: engines that begin start what `always` says, stopped or not."""
    async with trouble(f'change the restart policy of container "{container[:12]}"'):
        with suppress(DockerError):  # gone; or it has none that could be changed
            body = {"RestartPolicy": {"Name": "no"}}
            await client._query_json(f"containers/{container}/update", method="POST", data=body)


async def _stop(container: DockerContainer, signal: str, grace_s: float) -> None:
    # Engines before 23 take the signal from the container alone: another one is sent, waited for, and followed by
    # SIGKILL by hand.
    if signal == stop_signal_of(await container.show()):
        await container.stop(t=round(grace_s), timeout=grace_s + 30)
        return
    await container.kill(signal=signal, timeout=30)
    try:
        await container.wait(timeout=max(grace_s, 0.1))
    except TimeoutError:
        await container.kill(timeout=30)
