// A client class as a clinic's frontend has it. It makes the guide's calls with the headers that such a class and its
// libraries add.

export class ReengagementClient {
  constructor(base, organization, token) {
    Object.assign(this, { base, organization, token });
  }

  async request(path, options = {}) {
    const trace = crypto.randomUUID().replaceAll('-', '');
    const response = await fetch(`${this.base}${path}`, {
      ...options,
      headers: {
        'Authorization': `Bearer ${this.token}`,
        'Content-Type': 'application/json',
        'x-organization-id': this.organization,
        'X-Requested-With': 'XMLHttpRequest',
        'baggage': `sentry-environment=production,sentry-trace_id=${trace}`,
        'sentry-trace': `${trace}-${trace.slice(16)}-1`,
        'traceparent': `00-${trace}-${trace.slice(16)}-01`,
        ...options.headers,
      },
    });
    const body = await response.json();
    return { status: response.status, requestID: response.headers.get('X-Request-Id'), retryAfter: response.headers.get('Retry-After'), body };
  }

  api(path, options) {
    return this.request(`/api/v1/reengagement/${this.organization}/${path}`, options);
  }

  getRiskMetrics() { return this.api('risk-metrics'); }
  getPerformance(timeframe = 'last_30_days') { return this.api(`performance?timeframe=${timeframe}`); }
  getPrioritizedPatients(level = 'all', limit = 50) { return this.api(`patients/prioritized?risk_level=${level}&limit=${limit}`); }
  getPatient(id) { return this.api(`patients/${encodeURIComponent(id)}`); }
  getTrends(period = '30d', metrics = 'risk_levels') { return this.api(`trends?period=${period}&metrics=${metrics}`); }
  getDashboard() { return this.api('dashboard'); }
  logOutreach(attempt, key) {
    return this.api('log-outreach', { method: 'POST', body: JSON.stringify(attempt), headers: key ? { 'Idempotency-Key': key } : {} });
  }
}

/** Makes all seven calls in sequence. */
export async function everything({ base, organization, token, patient, key }) {
  const client = new ReengagementClient(base, organization, token);
  const attempt = { patient_id: patient, method: 'sms', outcome: 'success', notes: 'from a page' };
  return [
    await client.getRiskMetrics(), await client.getPerformance(), await client.getPrioritizedPatients(),
    await client.getPatient(patient), await client.getTrends(), await client.getDashboard(),
    await client.logOutreach(attempt, key), await client.logOutreach(attempt, key),
    await client.logOutreach({ ...attempt, idempotency_key: key }),
  ];
}

/** Returns the parts of error responses that a page must be able to read. */
export async function troubles({ base, organization, token, patient }) {
  const client = new ReengagementClient(base, organization, token);
  const stranger = new ReengagementClient(base, organization, 'x.y.z');
  const other = new ReengagementClient(base, 'org_other', token);
  return [
    await client.request('/nowhere'), await client.api('no-such-thing'), await client.getPatient('nobody'),
    await stranger.getDashboard(), await other.getDashboard(), await client.getPrioritizedPatients('wrong'),
    await client.logOutreach({ patient_id: patient }),
    await client.api('dashboard', { method: 'POST', body: '{}' }),
    await client.api('log-outreach', { method: 'POST', body: JSON.stringify({ notes: 'x'.repeat(2_000_000) }) }),
  ];
}

/** Sends requests until one is refused with a time to wait. */
export async function flood({ base, organization, token }) {
  const client = new ReengagementClient(base, organization, token);
  for (let round = 0; round < 100; round += 1) {
    const answers = await Promise.all(Array.from({ length: 100 }, () => client.getDashboard()));
    const refused = answers.find(({ status }) => status === 429);
    if (refused) return refused;
  }
  return null;
}
