"""Who may use the order API: Airflow's own logins and permissions, whichever login manager the deployment has.

A caller shows what Airflow's REST API takes: `Authorization: Bearer <token>` from POST /auth/token, or the cookie of
the page he is logged in on. Reading needs what a Viewer may do, to see DAG runs; everything else needs what it takes to
trigger them (role User and above), because a dispatched order sets them off. See docs/adr/0006.
"""

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import bearer_scheme, get_user
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request


async def admit(request: Request, writes: bool) -> str:
    """The caller's user name. Raises HTTPException: 401 without a good login, 403 without the permission."""
    try:
        user = await get_user(request, None, await bearer_scheme(request))
    except HTTPException as error:
        # Airflow answers 403 to a token that is none; whoever shows one is not logged in.
        raise HTTPException(401, str(error.detail), {"WWW-Authenticate": "Bearer"}) from error
    method = "POST" if writes else "GET"
    allowed = await run_in_threadpool(
        get_auth_manager().is_authorized_dag, method=method, access_entity=DagAccessEntity.RUN, user=user
    )
    if not allowed:
        raise HTTPException(403, f"This login may not {'trigger' if writes else 'see'} DAG runs, so it may not do this")
    return str(user.get_name())
