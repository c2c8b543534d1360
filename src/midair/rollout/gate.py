"""What a gate's reading means: go, wait or back. An error in measuring is not a failure of the service."""

from typing import Literal

from midair.rollout.draft import Draft


def verdict(draft: Draft, name: str) -> Literal["go", "wait", "back"]:
    """The verdict of a gate on the goal's revision, measured since the present step began."""
    for reading in draft.seen.gates:
        if reading.name == name and reading.revision == draft.goal.revision and reading.at >= draft.step_at:
            if reading.verdict == "successful":
                return "go"
            if reading.verdict == "failed":
                return "back"
    return "wait"
