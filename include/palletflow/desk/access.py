"""Who may use the desk: Airflow's own logins and permissions, whichever login manager the deployment has.

A caller shows what Airflow's REST API takes: `Authorization: Bearer <token>` from POST /auth/token, or the cookie of
the page he is logged in on. Reading needs what a Viewer may do, to see DAG runs; everything else needs what it takes to
trigger them (role User and above), because a dispatched order sets them off. See docs/adr/0006.
"""

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import bearer_scheme, get_user
from airflow.configuration import conf
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request

from palletflow.desk.gate import Caller


async def admit(request: Request, writes: bool) -> Caller:
    """Who calls. Raises HTTPException: 401 without a good login, 403 without the permission."""
    bearer = await bearer_scheme(request)
    try:
        user = await get_user(request, None, bearer)
    except HTTPException as error:
        # Airflow answers 403 to a token that is none; whoever shows one is not logged in.
        raise HTTPException(401, str(error.detail), {"WWW-Authenticate": "Bearer"}) from error

    def may(method: str) -> bool:
        manager = get_auth_manager()
        return bool(manager.is_authorized_dag(method=method, access_entity=DagAccessEntity.RUN, user=user))

    may_write = await run_in_threadpool(may, "POST")
    if not may_write and (writes or not await run_in_threadpool(may, "GET")):
        raise HTTPException(403, f"This login may not {'trigger' if writes else 'see'} DAG runs, so it may not do this")
    return Caller(str(user.get_name()), may_write, by_cookie=bearer is None)


def signing_key() -> bytes:
    """Signs what the pages hand out; the same in every process of the web server."""
    return str(conf.get_mandatory_value("api", "secret_key")).encode()
