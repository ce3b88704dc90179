"""Calls each method of the client that openapi-python-client generated. Runs in the environment with its libraries."""

import datetime
import enum
import importlib
import json
import pkgutil
import ssl
import sys
import typing

import generated.api
from generated import AuthenticatedClient, models

setting = json.loads(sys.argv[1])
client = AuthenticatedClient(base_url=setting["base"], token=setting["token"],
                             verify_ssl=ssl.create_default_context(cafile=setting["ca"]))


def converted(value, hint):
    """Returns the value as the type that the generated function requires."""
    for each in typing.get_args(hint) or (hint,):
        if typing.get_origin(each) is list:
            # Only one item: this generator ignores `explode: false` and sends several as separate parameters, which is
            # a 422.
            return [converted(item, *typing.get_args(each)) for item in value[:1]]
        if hasattr(each, "from_dict"):
            return each.from_dict(value)
        if isinstance(each, type) and issubclass(each, (int, enum.Enum)):
            return each(value)
    return value


def arguments(name, module):
    hints = typing.get_type_hints(module.sync_detailed)
    given = {argument.replace("-", "_").lower(): value for argument, value in setting["arguments"][name].items()}
    return {argument: converted(value, hints[argument]) for argument, value in given.items()}


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
    answer = module.sync_detailed(client=client, **arguments(name, module))
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
log_outreach = importlib.import_module("generated.api.outreach.log_outreach")
again = log_outreach.sync_detailed(client=client, **arguments("logOutreach", log_outreach))
assert again.status_code == 200 and again.parsed.outreach_id == called["logOutreach"].outreach_id
wrong = importlib.import_module("generated.api.patients.get_patient").sync(
    client=client, org_id=setting["organization"], patient_id="nobody at all"
)
assert isinstance(wrong, models.Problem) and wrong.type_ == f"/problems/{models.ProblemName.NO_SUCH_PATIENT}"
