"""One replica: its process, its record, and the tasks that look after it while this daemon lives."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from pathlib import Path
from shutil import rmtree
from typing import Any

import msgspec
from msgspec.structs import replace

from midair.errors import RuntimeTrouble
from midair.model.ids import service_of
from midair.model.moment import Moment, Span
from midair.model.project import Hook, Revision
from midair.runtime.health import Verdict, checks_of
from midair.runtime.process import command, logs, place, record, stop, translate
from midair.runtime.process.checks import Checks
from midair.runtime.process.identity import Identity, boot, is_alive, read_pid_file
from midair.runtime.process.layout import Layout
from midair.runtime.process.leftover import find_marked, kill_leftovers, kill_strays, members_of
from midair.runtime.process.listening import listening
from midair.runtime.process.record import FILE, Record, Stopping
from midair.runtime.process.spawn import NOT_OURS, spawn
from midair.runtime.process.watch import Watch, exit_code_of

_HOOK_TIMEOUT_S = 60.0  # of one post_start hook
_OUTLIVED_S = 0.05  # between two looks at processes that outlive their leader
_WRITTEN_LOOKS = 200  # for the end of a log: what writes it may have begun only just now
_LOOKS, _LOOK_S = 20, 0.01  # for an exit code that the kernel has not handed out yet, or a pid being written


class Surroundings(msgspec.Struct, frozen=True):
    """What all replicas of a project share."""

    layout: Layout
    clock: Callable[[], Moment]
    changed: Callable[[], None]


class Replica:
    """Looks after one replica. Its record is the only state that matters; it is replaced, never changed."""

    def __init__(self, around: Surroundings, known: Record) -> None:
        self.record = known
        self.around = around
        self.exited = asyncio.Event()
        self.watch: Watch | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._checking: asyncio.Task[None] | None = None

    @property
    def folder(self) -> Path:
        """Where its record is."""
        return self.around.layout.replica(self.record.id)

    @property
    def leader(self) -> Identity | None:
        """The first process of this attempt, which may have ended."""
        return self.watch.identity if self.watch is not None else self.record.identity

    @property
    def mark(self) -> str:
        """What tells the processes of this attempt from all others."""
        return f"{self.folder}#{self.record.attempt}"

    def begin(self, before: Record | None) -> None:
        """Write the record, then start the process. When that cannot be, all is as it was."""
        try:
            for old in self.folder.glob("pid.*"):  # of earlier attempts, or of a record that is no more
                old.unlink()
            record.write(self.folder, self.record)
        except OSError as error:
            raise RuntimeTrouble(f'cannot start replica "{self.record.id}": {error.strerror}') from error
        try:
            self._spawn()
        except RuntimeTrouble:
            self._take_back(before)
            raise

    async def adopt(self) -> None:
        """Go on where an earlier daemon stopped: watch a process that lives, or notice that it ended."""
        if self.record.state == "exited":
            self.exited.set()
            return
        identity = await self._find()
        if identity is not None and is_alive(identity):
            self._attend(identity)
        elif identity is None and not self.record.begun and self.record.stop is None:
            await self._start_again()
        elif identity is not None and self.record.stop is not None and find_marked(self.mark):
            self._run(self._exit_late(identity))
            self._end()
        else:
            # By its mark alone: in the meantime the number of its session may have become another's.
            await asyncio.to_thread(kill_strays, lambda mark: mark == self.mark)
            self._note_exit(None if identity is None else exit_code_of(identity))

    def adapt(self, revision: Revision) -> None:
        """Go on with newer settings of the same revision."""
        before, after = self.record.revision.service, revision.service
        if before == after or self.record.state == "exited":
            return
        self.note(revision=replace(self.record.revision, service=after))
        if self._checking is not None and self.record.stop is None and checks_of(before) != checks_of(after):
            self._stop_checking()
            self._checking = self._run(self._check())

    def stop(self, signal: str, grace_s: Span) -> None:
        """Begin the ordered end, unless it has begun."""
        if self.record.state == "exited" or self.record.stop is not None:
            return
        self.note(state="stopping", stop=Stopping(signal, grace_s), detail=self.record.blame)
        self._end()

    def forget(self) -> None:
        """Remove what is kept about it. The record goes first: without it the rest is rubbish."""
        self.let_go()
        (self.folder / FILE).unlink(missing_ok=True)
        rmtree(self.folder, ignore_errors=True)
        with contextlib.suppress(OSError):  # others are in there
            self.folder.parent.rmdir()
            self.folder.parent.parent.rmdir()

    def let_go(self) -> None:
        """Look after it no more, and leave it as it is."""
        for task in self._tasks:
            task.cancel()
        if self.watch is not None:
            self.watch.close()

    async def settle(self) -> None:
        """Wait until nothing is under way any more after `let_go`."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def note(self, **changes: Any) -> None:
        """Change the record, keep it, and tell those who want to know."""
        if changes.get("state", self.record.state) != self.record.state:
            changes["since"] = self.around.clock()
        self.record = replace(self.record, **changes)
        with contextlib.suppress(OSError):  # a full disk must not keep a replica from being ended in order
            record.write(self.folder, self.record)
        self.around.changed()

    async def hook(self, hook: Hook, timeout_s: Span) -> command.Ended:
        """Run one hook of the service."""
        return await command.run(place.hook_of(self.around.layout, self.record, hook, timeout_s, self._command_mark))

    @property
    def _pid_file(self) -> Path:
        return self.around.layout.pid_file(self.record.id, self.record.attempt)

    @property
    def _command_mark(self) -> str:
        return f"{self.folder}#command"

    def _spawn(self) -> None:
        start = place.process_of(self.around.layout, self.record, self.mark)
        log = self.around.layout.log(self.record.id)
        log_start = logs.size(log)
        identity, logger = spawn(start, self._pid_file, log)
        self.note(begun=True, identity=identity, logger=logger, log_start=log_start)
        self._attend(identity)

    def _take_back(self, before: Record | None) -> None:
        if before is None:
            self.forget()
            return
        with contextlib.suppress(OSError):
            record.write(self.folder, before)

    async def _start_again(self) -> None:
        """The record was written, but nothing was started, or is only just being: the pid file decides who is first."""
        try:
            self._spawn()
        except RuntimeTrouble as trouble:
            self._note_exit(None, trouble.message)

    async def _find(self) -> Identity | None:
        if self.record.identity is not None:
            return self.record.identity
        for _ in range(_LOOKS):
            if (identity := read_pid_file(self._pid_file)) is not None or not self._pid_file.exists():
                return identity
            await asyncio.sleep(_LOOK_S)
        # The wrapper died in the middle of writing. What carries its mark is not to be trusted.
        if find_marked(self.mark):
            await asyncio.to_thread(kill_strays, lambda mark: mark == self.mark)
        self._pid_file.unlink(missing_ok=True)
        return None

    def _attend(self, identity: Identity) -> None:
        watch = Watch(identity, lambda: self._run(self._exit(watch)))
        self.watch = watch
        if self.record.identity != identity:
            self.note(begun=True, identity=identity)
        if self.record.stop is not None:
            self._end()
        else:
            self._stop_checking()
            self._checking = self._run(self._check())

    def _end(self) -> None:
        self._stop_checking()
        self._run(stop.carry_on(self))

    def _stop_checking(self) -> None:
        if self._checking is not None:
            self._checking.cancel()

    async def _exit(self, watch: Watch) -> None:
        first = read_pid_file(self._pid_file)
        if first is not None and first != watch.identity and is_alive(first):
            watch.exit_code()
            watch.close()
            self._attend(first)  # an earlier daemon's start of this attempt came first
            return
        await self._outlived(watch.identity)
        with contextlib.suppress(OSError):  # an end is an end; what is left behind then is killed by the next daemon
            await asyncio.to_thread(kill_leftovers, watch.identity, self.mark)
        code = await self._exit_code(watch)
        watch.close()
        await self._written()
        self._note_exit(code)

    async def _exit_late(self, leader: Identity) -> None:
        """The leader ended while no daemon was there; what it left has the rest of the grace period."""
        await self._outlived(leader)
        await asyncio.to_thread(kill_strays, lambda mark: mark == self.mark)
        self._note_exit(exit_code_of(leader))

    async def _outlived(self, leader: Identity) -> None:
        """Wait for what outlives the leader of a replica that is to stop. The end of its grace period ends it."""
        with contextlib.suppress(OSError):
            while self.record.stop is not None and self.record.stop.stage != "killing":
                members = await asyncio.to_thread(members_of, leader, self.mark)
                if not members:
                    return
                await asyncio.sleep(_OUTLIVED_S)

    async def _written(self) -> None:
        """Wait until the log holds what the replica has printed last, unless something else goes on writing to it."""
        logger = self.record.logger
        for _ in range(_WRITTEN_LOOKS if logger is not None else 0):
            if logger is None or not is_alive(logger):
                break
            await asyncio.sleep(_LOOK_S)
        if logger is not None:
            exit_code_of(logger)

    async def _exit_code(self, watch: Watch) -> int | None:
        for _ in range(_LOOKS):
            if (code := watch.exit_code()) is not None:
                return code
            await asyncio.sleep(_LOOK_S)
        return None

    def _note_exit(self, code: int | None, reason: str = "") -> None:
        self._stop_checking()
        text = self.record.blame or reason or self._why(code)
        if self.record.blame and code == 0:
            code = 1  # it was ended because it failed
        self.exited.set()
        self.note(state="exited", exit_code=code, detail=text)

    def _why(self, code: int | None) -> str:
        was = self.record
        if was.identity is not None and was.identity.boot != boot():
            return "ended when the machine was restarted"
        if code == NOT_OURS and read_pid_file(self._pid_file) is None:
            return "could not be started: its pid file could not be written"
        argv = translate.arguments(was.revision.service)
        interpreter = place.missing_interpreter_of(self.around.layout, was) if code in (126, 127) else ""
        text = translate.exit_text(code, argv, was.ready_at is not None, interpreter)
        line = logs.error_of(self.around.layout.log(was.id), was.log_start) if was.stop is None and code else ""
        return f"{text}: {line}" if line and code not in (126, 127) else text

    async def _check(self) -> None:
        try:
            if not await self._post_start():
                return
            base = place.probe_of(self.around.layout, self.record, self._command_mark)
        except RuntimeTrouble as trouble:
            self._give_up(trouble.message)
            return
        pid = self.record.identity.pid if self.record.identity is not None else 0
        checks = Checks(self.record, self.around.clock, self._judge, self._listening)
        await checks.run(base, place.given(self.record), pid)

    async def _listening(self) -> tuple[int, ...]:
        leader = self.record.identity
        if leader is None:
            return ()
        members = await asyncio.to_thread(members_of, leader, self.mark)
        return await asyncio.to_thread(listening, (leader.pid, *(stat.pid for stat in members)))

    def _judge(self, verdict: Verdict, text: str) -> None:
        known = self.record
        if known.state in ("stopping", "exited"):  # an answer that was under way
            return
        if verdict != known.state:
            ready_at = self.around.clock() if verdict == "ready" and known.ready_at is None else known.ready_at
            self.note(state=verdict, detail=text, ready_at=ready_at)
        elif text != known.detail:
            self.record = replace(known, detail=text)  # not worth a write
            self.around.changed()

    async def _post_start(self) -> bool:
        for hook in () if self.record.hooked else self.record.revision.service.post_start:
            ended = await self.hook(hook, _HOOK_TIMEOUT_S)
            if ended.trouble:
                self._give_up(f"post_start failed: {ended.trouble}")
                return False
        if not self.record.hooked:
            self.note(hooked=True)
        return True

    def _give_up(self, why: str) -> None:
        if self.record.stop is not None or self.record.state == "exited":
            return
        service = self.record.revision.service
        self.record = replace(self.record, blame=why)
        self.stop(service.stop_signal, service.stop_grace_s)

    def _run(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=f"{service_of(self.record.id)} replica {self.record.id}")
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            asyncio.get_running_loop().call_exception_handler(
                {"message": f'while looking after replica "{self.record.id}"', "exception": error, "task": task}
            )
