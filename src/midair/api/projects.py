"""Projects as they are now, and what it would take to change them."""

from midair.api.endpoint import Call, Endpoint
from midair.engine import show
from midair.errors import UsageRefused
from midair.model.plan import Plan
from midair.model.project import Project
from midair.view.ask import AskPlan, AskRename
from midair.view.counts import CountsView
from midair.view.daemon import Done
from midair.view.status import ProjectSummary, ProjectView


async def list_projects(call: Call) -> tuple[ProjectSummary, ...]:
    return call.engine.projects()


async def get_project(call: Call) -> ProjectView:
    return await show.project(call.engine.keeper(call.project))


async def get_counts(call: Call) -> CountsView:
    return await show.counts(call.engine.keeper(call.project))


async def make_plan(call: Call) -> Plan:
    ask: AskPlan = call.body
    same_project(call, ask.project)
    return await call.engine.plan(ask)


async def forget(call: Call) -> Done:
    name = call.engine.shown(call.project)
    removed = await call.while_there(call.engine.forget(call.project))
    return Done(f"project {name} is forgotten", removed)


async def rename(call: Call) -> ProjectSummary:
    return call.engine.rename(call.project, call.body)


def same_project(call: Call, project: Project) -> None:
    """Refuse a body that is about another project than the path.

    What the file says is read under the key of a project, since volumes and networks are named after it.
    """
    call.engine.refuse_old_name(call.path("project"))
    if project.name != call.project:
        raise UsageRefused(f'cannot use project "{project.name}": the path says "{call.project}"')


ENDPOINTS = (
    Endpoint("GET", "/v1/projects", "All projects, by name", list_projects, tuple[ProjectSummary, ...]),
    Endpoint("GET", "/v1/projects/{project}", "One project as it is now", get_project, ProjectView),
    Endpoint("GET", "/v1/projects/{project}/counts", "Requests as the router counted them", get_counts, CountsView),
    Endpoint("POST", "/v1/projects/{project}/rename", "Call a project otherwise", rename, ProjectSummary, AskRename),
    Endpoint("POST", "/v1/projects/{project}/forget", "Remove all on record of a project that is down", forget, Done),
    Endpoint("POST", "/v1/projects/{project}/plan", "What an `up` would do", make_plan, Plan, AskPlan),
)
