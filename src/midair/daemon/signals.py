"""What the daemon was told to ignore, by `nohup` or a shell that put it into the background, stays its own matter."""

import signal

_IGNORED_BY_SHELLS = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)


def keep_to_oneself() -> None:
    """Go on ignoring what is ignored now, but by a handler, which exec forgets: replicas begin with the defaults."""
    for number in _IGNORED_BY_SHELLS:
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda number, frame: None)
