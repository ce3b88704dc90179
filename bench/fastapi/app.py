"""The same responses as the server's, for comparison: FastAPI, asyncpg, uvicorn with uvloop and httptools, orjson.

Uses every optimization of such a service: pooled connections that need no round trip for a reset, statements prepared once
by asyncpg, tokens cached until they expire, and JSON written by orjson in place of FastAPI's encoder.
"""

import base64
import hashlib
import json
import os
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Literal

import asyncpg
import jwt
import orjson
from fastapi import Depends, FastAPI, HTTPException, Query, Request, Response
from pydantic import BaseModel, Field

STATEMENTS = json.loads(Path(os.environ["STATEMENTS"]).read_text())
# The fields of the response, which come from the OpenAPI document.
RISK_METRICS = json.loads(Path(os.environ["RISK_METRICS"]).read_text())
SETTINGS = json.loads(os.environ["DATABASE_SETTINGS"])
PUBLIC_KEY = Path(os.environ["PUBLIC_KEY"]).read_text()
ISSUER = os.environ["ISSUER"]
BIND = "SELECT set_config('reengagement.organization', $1, true)"
LEEWAY = 5  # seconds
# Under overload it is slow and refuses no request, like php-fpm.
LONGEST_WAIT = 15
MOST_TOKENS = 10_000
verified = {}


async def prepare_connection(connection):
    # Decodes the database's numeric as a JSON number.
    await connection.set_type_codec("numeric", schema="pg_catalog", encoder=str, decoder=float)


async def leave_as_it_is(connection):
    """No reset is needed, because a transaction leaves no settings behind."""


@asynccontextmanager
async def lifespan(app):
    app.state.pool = await asyncpg.create_pool(
        os.environ["DATABASE_URL"], min_size=int(os.environ["POOL_SIZE"]), max_size=int(os.environ["POOL_SIZE"]),
        init=prepare_connection, reset=leave_as_it_is, server_settings=SETTINGS, command_timeout=5)
    yield
    await app.state.pool.close()


app = FastAPI(lifespan=lifespan, openapi_url=None)


def verify(token):
    claims = jwt.decode(token, PUBLIC_KEY, algorithms=["RS256"], issuer=ISSUER, leeway=LEEWAY,
                        options={"require": ["exp", "sub"]})
    if len(verified) >= MOST_TOKENS:
        verified.clear()
    verified[token] = claims
    return claims


async def principal(request: Request, org_id: str):
    """The token's claims, if it is valid and for the organization of the path."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    claims = verified.get(token)
    if scheme.lower() != "bearer":
        raise HTTPException(401)
    if claims is None or claims["exp"] + LEEWAY <= time.time():
        try:
            claims = verify(token)
        except jwt.InvalidTokenError:
            raise HTTPException(401)
    organization = claims.get("o", {}).get("id") if claims.get("v") == 2 else claims.get("org_id")
    if organization != org_id:
        raise HTTPException(403)
    return claims


def role_of(claims):
    return claims.get("o", {}).get("rol") if claims.get("v") == 2 else claims.get("org_role")


async def run(request, organization, name, *arguments):
    """Runs one statement in a transaction with the organization set for row-level security."""
    async with request.app.state.pool.acquire(timeout=LONGEST_WAIT) as connection:
        async with connection.transaction():
            await connection.fetchval(BIND, organization)
            return await connection.fetch(STATEMENTS[name], *arguments)


def answer(content, status=200):
    return Response(orjson.dumps(content), status, media_type="application/json", headers={"Cache-Control": "no-store"})


Principal = Annotated[dict, Depends(principal)]
PREFIX = "/api/v1/reengagement/{org_id}"


def filled(fields, row):
    return {name: filled(inner, row) if isinstance(inner, dict) else row[name] for name, inner in fields.items()}


@app.get(PREFIX + "/risk-metrics")
async def risk_metrics(request: Request, org_id: str, claims: Principal):
    row = (await run(request, org_id, "risk_metrics", org_id))[0]
    return answer(filled(RISK_METRICS, {**row, "organization_id": org_id}))


def base64url(value):
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def digest(organization, level):
    """The parameters that a cursor belongs to, unused filters included."""
    return base64url(hashlib.sha256(orjson.dumps([organization, level, None, None, None, None, "priority"])).digest()[:16])


def encoded(organization, level, patient):
    return base64url(orjson.dumps(["2", digest(organization, level), patient["action_priority"], patient["risk_score"],
                                   patient["days_since_last_contact"], patient["id"]]))


def decoded(cursor, organization, level):
    if cursor is None:
        return (None,) * 4
    try:
        version, whose, priority, score, days, patient = orjson.loads(base64.urlsafe_b64decode(cursor + "=="))
    except ValueError:
        raise HTTPException(422)
    if version != "2" or whose != digest(organization, level):
        raise HTTPException(422)
    return priority, score, days, patient


@app.get(PREFIX + "/patients/prioritized")
async def prioritized(request: Request, org_id: str, claims: Principal,
                      risk_level: Literal["critical", "high", "medium", "low", "engaged", "all"] = "all",
                      limit: Annotated[int, Query(ge=1, le=200)] = 50, cursor: str | None = None):
    place = decoded(cursor, org_id, risk_level)
    rows = await run(request, org_id, "prioritized_patients", org_id, None if risk_level == "all" else risk_level,
                     None, None, None, None, "priority", False, limit + 1, *place[:3], None, place[3])
    found = [dict(row) for row in rows[:limit] if row["id"] is not None]
    for patient in found:
        for name in ("timestamp", "treatment_notes", "total", "sort_name"):
            del patient[name]
    return answer({
        "patients": found,
        "summary": {
            "total_returned": len(found),
            "total": rows[0]["total"],
            "filters_applied": {"risk_level": risk_level, "limit": limit},
            "next_cursor": encoded(org_id, risk_level, found[-1]) if len(rows) > limit else None,
        },
        "timestamp": rows[0]["timestamp"],
    })


class Attempt(BaseModel):
    patient_id: Annotated[str, Field(min_length=1, max_length=200)]
    method: Literal["sms", "email", "phone"]
    outcome: Literal["success", "no_response", "failed"]
    notes: Annotated[str, Field(max_length=4000)] = ""
    opened: bool = False


@app.post(PREFIX + "/log-outreach")
async def log_outreach(request: Request, org_id: str, claims: Principal, attempt: Attempt):
    row = (await run(request, org_id, "log_outreach", org_id, attempt.patient_id, attempt.method, attempt.outcome,
                     attempt.opened, attempt.notes, claims["sub"], request.headers.get("idempotency-key"),
                     claims.get("sid"), role_of(claims), claims.get("act", {}).get("sub"), request.client.host
                     if request.client else None,
                     request.headers.get("x-request-id"), None))[0]
    if row["result"] == "no_patient":
        raise HTTPException(404)
    if row["result"] == "conflict":
        raise HTTPException(422)
    was_created = row["result"] == "created"
    return answer({
        "success": True,
        "message": "The outreach attempt was logged." if was_created
                   else "This outreach attempt had been logged already.",
        "outreach_id": str(row["outreach_id"]),
        "logged_at": row["logged_at"],
    }, 201 if was_created else 200)
