// Calls each method of the client that openapi-generator generated. It is type-checked with `strict`.
import { called } from './calls.ts';
import * as client from './index.ts';

// deno-lint-ignore no-explicit-any
const setting = JSON.parse((globalThis as any).Deno.args[0]);
const configuration = new client.Configuration({ accessToken: setting.token });
const results = await called(configuration);

function must(holds: boolean, what: string) {
  if (!holds) throw new Error(what);
}

must(Object.keys(results).sort().join() === setting.operations.join(), `the called methods are not all of ${setting.operations}`);

const patient: client.PatientDetail = results.getPatient;
must(patient.createdAt instanceof Date && !Number.isNaN(patient.createdAt.getTime()), 'created_at is not a time');
must(results.getTrends.dailyTrends.length === 7 && results.getTrends.dailyTrends[6].date instanceof Date, 'a day of the trends is not a date');
const first: client.Patient = results.listPrioritizedPatients.patients[0];
const level: client.RiskLevel = first.riskLevel;
must(Object.values(client.RiskLevel).includes(level), 'risk_level is not one of the levels');
must(results.logOutreach.success === true && typeof results.getProblem === 'string', 'logOutreach or getProblem returned a wrong type');
try {
  await new client.PatientsApi(configuration).getPatient({ orgId: setting.organization, patientId: 'nobody at all' });
  must(false, 'getPatient of an unknown id did not fail');
} catch (error) {
  if (!(error instanceof client.ResponseError)) throw error;
  const problem: client.Problem = client.ProblemFromJSON(await error.response.json());
  must(problem.type === `/problems/${client.ProblemName.NoSuchPatient}`, problem.type);
}
