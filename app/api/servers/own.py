"""/api/servers/self: what an agent asks and says (docs/agents.md)."""

from __future__ import annotations

from flask import Blueprint

from app.api.apis import SERVERS
from app.api.pipeline import Answer
from app.api.servers import schemas
from app.fleet import plan, reports, sessions
from app.models import Server

bp = Blueprint("own_server", __name__, url_prefix="/api/servers/self")


@bp.get("/plan")
@SERVERS.call("Read what this server should hold", query=schemas.PlanQuery, answers={200: schemas.PlanAnswer})
def read_plan(server: Server, query: schemas.PlanQuery) -> Answer:
    server_id = server.id
    found = plan.plan_for(server, query.since, query.wait)
    return Answer(
        schemas.PlanAnswer(
            version=found.version,
            server=schemas.PlanServer(id=server_id),
            poll_after_seconds=found.poll_after_seconds,
            builds=[schemas.PlanBuild(**vars(build)) for build in found.builds],
            evict=[schemas.PlanEviction(game_id=game_id, build=build) for game_id, build in found.evict],
        ),
        headers={"Cache-Control": "no-store"},
    )


@bp.post("/reports")
@SERVERS.call(
    "Report what this server holds and does",
    body=schemas.AgentReport,
    answers={200: schemas.ReportReceipt},
    refusals=(400, 409),
)
def report(server: Server, body: schemas.AgentReport) -> Answer:
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
            builds=[reports.ReportedBuild(**dict(build)) for build in body.builds],
            sessions=[sessions.LiveSession(**dict(session)) for session in body.sessions],
        ),
    )
    return Answer(schemas.ReportReceipt(**vars(receipt)))


@bp.post("/sessions")
@SERVERS.call(
    "Start a play session",
    body=schemas.SessionRequest,
    answers={201: schemas.SessionAnswer, 200: schemas.SessionAnswer},
    refusals=(400, 404, 409),
)
def start_session(server: Server, body: schemas.SessionRequest) -> Answer:
    started = sessions.start_session(server, body.game_id, body.id)
    shape = schemas.SessionAnswer(
        id=started.id,
        game_id=started.game_id,
        build=started.build,
        path=started.path,
        launcher=started.launcher,
    )
    return Answer(shape, 201 if started.created else 200)


@bp.delete("/sessions/<session_id>")
@SERVERS.call("End a play session", answers={204: None}, refusals=(404,))
def end_session(server: Server, session_id: str) -> Answer:
    sessions.end_session(server, session_id)
    return Answer(None, 204)
