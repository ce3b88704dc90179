"""Calls each method of the client that openapi-python-client generated. Runs in the environment with its libraries."""

import datetime
import importlib
import json
import pkgutil
import ssl
import sys
import uuid

import generated.api
from generated import AuthenticatedClient, models

setting = json.loads(sys.argv[1])
client = AuthenticatedClient(base_url=setting["base"], token=setting["token"],
                             verify_ssl=ssl.create_default_context(cafile=setting["ca"]))
here, key = {"org_id": setting["organization"]}, str(uuid.uuid4())
attempt = models.OutreachRequest(patient_id=setting["patient"], method=models.Channel.SMS,
                                 outcome=models.Outcome.FAILED)
# Only one metric: this generator ignores `explode: false` and sends several as separate parameters, which is a 422.
ARGUMENTS = {
    "getRiskMetrics": here, "getDashboard": here,
    "getPerformance": {**here, "timeframe": models.Timeframe.LAST_7_DAYS},
    "getTrends": {**here, "period": models.Period.SEVEN_DAYS, "metrics": [models.TrendMetric.RISK_LEVELS]},
    "listPrioritizedPatients": {**here, "risk_level": models.LevelFilter.ALL, "limit": 3},
    "searchPatients": {**here, "body": models.PatientSearch(risk_level=models.LevelFilter.ALL,
                                                            sort=models.PatientOrder.NAME, limit=3)},
    "getPatient": {**here, "patient_id": setting["patient"]},
    "logOutreach": {**here, "body": attempt, "idempotency_key": key},
    "getProblem": {"problem": models.ProblemName.NO_SUCH_PATIENT},
}


def functions():
    """Yields the operation's name and the module of each generated function."""
    for module in pkgutil.walk_packages(generated.api.__path__, "generated.api."):
        if not module.ispkg:
            name = "".join(word.capitalize() for word in module.name.rpartition(".")[2].split("_"))
            yield (
                (name[0].lower() + name[1:]).replace("Openapi", "OpenAPI").replace("OpenApi", "OpenAPI"),
                importlib.import_module(module.name),
            )


called = {}
for name, module in functions():
    answer = module.sync_detailed(client=client, **ARGUMENTS.get(name, {}))
    assert answer.status_code in (200, 201), (name, answer)
    assert (
        name in ("getMetrics", "getProblem")
        or answer.parsed is not None
        and not isinstance(answer.parsed, models.Problem)
    ), (name, answer)
    called[name] = answer.parsed
assert sorted(called) == setting["operations"], sorted(called)

patient, day = called["getPatient"], called["getTrends"].daily_trends[0]
assert isinstance(patient.created_at, datetime.datetime) and patient.created_at.tzinfo
assert type(patient.last_contact_day) is datetime.date and type(day.date) is datetime.date
assert isinstance(patient.risk_level,
                  models.RiskLevel) and isinstance(patient.engagement_status, models.EngagementStatus)
assert isinstance(called["listPrioritizedPatients"].patients[0], models.Patient)
again = importlib.import_module("generated.api.outreach.log_outreach").sync_detailed(
    client=client, **ARGUMENTS["logOutreach"]
)
assert again.status_code == 200 and again.parsed.outreach_id == called["logOutreach"].outreach_id
wrong = importlib.import_module("generated.api.patients.get_patient").sync(
    client=client, **here, patient_id="nobody at all"
)
assert isinstance(wrong, models.Problem) and wrong.type_ == f"/problems/{models.ProblemName.NO_SUCH_PATIENT}"
