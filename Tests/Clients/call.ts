// Calls each method of the client that openapi-generator generated. It is type-checked with `strict`.
import * as client from './index.ts';

// deno-lint-ignore no-explicit-any
const setting = JSON.parse((globalThis as any).Deno.args[0]);
const configuration = new client.Configuration({ accessToken: setting.token });
const outreach = new client.OutreachApi(configuration);
const patients = new client.PatientsApi(configuration);
const risk = new client.RiskApi(configuration);
const service = new client.ServiceApi(configuration);
const orgId: string = setting.organization;
const patientId: string = setting.patient;

function must(holds: boolean, what: string) {
  if (!holds) throw new Error(what);
}

const attempt: client.OutreachRequest = { patientId, method: client.Channel.Sms, outcome: client.Outcome.Failed };
const results = {
  getRiskMetrics: await risk.getRiskMetrics({ orgId }),
  getDashboard: await risk.getDashboard({ orgId }),
  getPerformance: await outreach.getPerformance({ orgId, timeframe: client.Timeframe.Last7Days }),
  getTrends: await outreach.getTrends({ orgId, period: client.Period.SEVEN_DAYS, metrics: new Set([client.TrendMetric.RiskLevels, client.TrendMetric.SuccessRates]) }),
  logOutreach: await outreach.logOutreach({ orgId, outreachRequest: attempt, idempotencyKey: crypto.randomUUID() }),
  listPrioritizedPatients: await patients.listPrioritizedPatients({ orgId, riskLevel: client.LevelFilter.All, limit: 3 }),
  searchPatients: await patients.searchPatients({ orgId, patientSearch: { riskLevel: client.LevelFilter.All, sort: client.PatientOrder.Name, limit: 3 } }),
  getPatient: await patients.getPatient({ orgId, patientId }),
  getHealth: await service.getHealth(),
  getReadiness: await service.getReadiness(),
  getMetrics: await service.getMetrics(),
  getOpenAPI: await service.getOpenAPI(),
  getPageSettings: await service.getPageSettings(),
  getProblem: await service.getProblem({ problem: client.ProblemName.NoSuchPatient }),
};
must(Object.keys(results).sort().join() === setting.operations.join(), `the called methods are not all of ${setting.operations}`);

const patient: client.PatientDetail = results.getPatient;
must(patient.createdAt instanceof Date && !Number.isNaN(patient.createdAt.getTime()), 'created_at is not a time');
must(results.getTrends.dailyTrends.length === 7 && results.getTrends.dailyTrends[6].date instanceof Date, 'a day of the trends is not a date');
const first: client.Patient = results.listPrioritizedPatients.patients[0];
const level: client.RiskLevel = first.riskLevel;
must(Object.values(client.RiskLevel).includes(level), 'risk_level is not one of the levels');
must(results.logOutreach.success === true && typeof results.getProblem === 'string', 'logOutreach or getProblem returned a wrong type');
try {
  await patients.getPatient({ orgId, patientId: 'nobody at all' });
  must(false, 'getPatient of an unknown id did not fail');
} catch (error) {
  if (!(error instanceof client.ResponseError)) throw error;
  const problem: client.Problem = client.ProblemFromJSON(await error.response.json());
  must(problem.type === `/problems/${client.ProblemName.NoSuchPatient}`, problem.type);
}
