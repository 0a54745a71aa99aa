"""/api/servers/self: the calls that an agent makes for its server: plan, reports, sessions (docs/agents.md)."""

from __future__ import annotations

from flask import Blueprint

from app.api.apis import SERVERS
from app.api.pipeline import Result
from app.api.servers import agent_schemas
from app.fleet import play_sessions, reports, server_plan
from app.fleet.servers import RecognisedServer, server_row

bp = Blueprint("own_server", __name__, url_prefix="/api/servers/self")


@bp.get("/plan")
@SERVERS.call("Read the plan of this server", query=agent_schemas.PlanQuery, responses={200: agent_schemas.PlanAnswer})
def read_plan(server: RecognisedServer, query: agent_schemas.PlanQuery) -> Result:
    server_id = server.id
    found = server_plan.plan_for(server, query.since, query.wait)
    return Result(
        agent_schemas.PlanAnswer(
            version=found.version,
            server=agent_schemas.PlanServer(id=server_id),
            poll_after_seconds=found.poll_after_seconds,
            builds=[agent_schemas.PlanBuild.model_validate(build) for build in found.builds],
            evict=[agent_schemas.PlanEviction(game_id=game_id, build=build) for game_id, build in found.evict],
        ),
        headers={"Cache-Control": "no-store"},
    )


@bp.post("/reports")
@SERVERS.call(
    "Report the state of this server",
    body=agent_schemas.AgentReport,
    responses={200: agent_schemas.ReportReceipt},
    errors=(400, 409),
)
def report(server: RecognisedServer, body: agent_schemas.AgentReport) -> Result:
    receipt = reports.accept(
        server,
        reports.Report(
            boot_id=body.boot_id,
            previous_boot_id=body.previous_boot_id,
            sequence=body.sequence,
            agent_version=body.agent_version,
            stopping=body.stopping,
            health=dict(body.health),
            disk=body.disk.model_dump(by_alias=True),
            bytes_per_second=body.bytes_per_second,
            builds=[_reported(build) for build in body.builds],
            sessions=[play_sessions.LiveSession(**dict(session)) for session in body.sessions],
        ),
    )
    return Result(agent_schemas.ReportReceipt(**vars(receipt)))


def _reported(build: agent_schemas.BuildReport) -> reports.ReportedBuild:
    source = reports.ReportedSource(**dict(build.source)) if build.source else None
    return reports.ReportedBuild(**dict(build) | {"source": source})


@bp.post("/sessions")
@SERVERS.call(
    "Start a play session",
    body=agent_schemas.SessionRequest,
    responses={201: agent_schemas.SessionAnswer, 200: agent_schemas.SessionAnswer},
    errors=(400, 404, 409),
)
def start_session(server: RecognisedServer, body: agent_schemas.SessionRequest) -> Result:
    started = play_sessions.start_session(server_row(server), body.game_id, body.id)
    shape = agent_schemas.SessionAnswer(
        id=started.id,
        game_id=started.game_id,
        build=started.build,
        path=started.path,
        launcher=started.launcher,
    )
    return Result(shape, 201 if started.created else 200)


@bp.delete("/sessions/<session_id>")
@SERVERS.call("End a play session", responses={204: None}, errors=(404,))
def end_session(server: RecognisedServer, session_id: str) -> Result:
    play_sessions.end_session(server_row(server), session_id)
    return Result(None, 204)
