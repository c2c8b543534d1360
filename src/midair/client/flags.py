"""What can be asked about feature flags."""

from urllib.parse import urlencode

from midair.client.calls import Calls, project_url
from midair.view.ask import AskFlag, AskFlagUndo, AskMoves
from midair.view.change import ChangeView
from midair.view.flag import FindingView, FlagChangeView, FlagSetView, MovesView


class FlagCalls(Calls):
    """The flags of projects."""

    def flags(self, project: str) -> FlagSetView:
        """Flags in force, with what is known of each."""
        return self.get(f"{project_url(project)}/flags", FlagSetView)

    def flag_document(self, project: str) -> dict[str, object]:
        """Flags as a file says them."""
        return self.get(f"{project_url(project)}/flags/document", dict[str, object])

    def flag(self, project: str, ask: AskFlag) -> ChangeView:
        """Do something to a flag. A change like any other, in force at once."""
        return self.post(f"{project_url(project)}/flags", ask, ChangeView)

    def flag_undo(self, project: str, ask: AskFlagUndo) -> ChangeView:
        """Take the last change of flags back, and nothing else."""
        return self.post(f"{project_url(project)}/flags/undo", ask, ChangeView)

    def flag_history(self, project: str, key: str = "") -> tuple[FlagChangeView, ...]:
        """Who changed what, when and why; newest first."""
        query = f"?{urlencode({'key': key})}" if key else ""
        return self.get(f"{project_url(project)}/flags/history{query}", tuple[FlagChangeView, ...])

    def flag_lint(self, project: str) -> tuple[FindingView, ...]:
        """What is allowed but unwise."""
        return self.get(f"{project_url(project)}/flags/lint", tuple[FindingView, ...])

    def flag_stale(self, project: str, days: float) -> tuple[FindingView, ...]:
        """Flags that have outlived their use."""
        return self.get(f"{project_url(project)}/flags/stale?days={days}", tuple[FindingView, ...])

    def flag_moves(self, project: str, ask: AskMoves) -> MovesView:
        """How many users another generation of bucketing would move. Changes nothing."""
        return self.post(f"{project_url(project)}/flags/moves", ask, MovesView)
