// The overview: patients by risk level, and whom to contact now.

import { get } from '../api.js';
import { contactButtons } from '../contact-dialog.js';
import { h, unseen, written } from '../dom.js';
import { count, decimal, percent, plural } from '../format.js';
import { figures } from '../figures.js';
import { levelText, levels, noCounts } from '../levels.js';
import { nameOf } from '../names.js';
import { badge, bar, contactMark, empty, heading, panel } from '../parts.js';
import { toPatient, toPatients } from '../router.js';
import { learnZone } from '../zone.js';

export const title = 'Overview';

/** Its response contains the clinic's time zone. */
export const tellsZone = true;

export async function load(_, signal) {
  const [risk, dashboard, performance] = await Promise.all([
    get('risk-metrics', {}, signal), get('dashboard', {}, signal), get('performance', {}, signal),
  ]);
  learnZone(dashboard);
  return { risk, dashboard, performance };
}

export function render({ risk, dashboard, performance }) {
  const total = dashboard.summary.total_patients;
  if (total === 0) {
    return [heading(title), empty('No patients yet', 'As soon as your practice software has sent patients, they are shown here.')];
  }
  return [
    heading(title),
    h('div', { class: 'urgent' }, criticalAlert(risk), immediateActions(risk)),
    riskCards(risk.risk_summary, dashboard.summary.risk_breakdown),
    distribution(risk.risk_summary, total),
    h('div', { class: 'columns' }, topPriority(dashboard.top_priority_patients),
      h('div', { class: 'stack' }, alerts(risk.alerts), contactSuccess(performance))),
  ];
}

/** The guide's fallback: counts of zero, marked as a fallback. */
export function fallback() {
  return [heading(title), h('div', { class: 'not-loaded' },
    h('p', { class: 'muted' }, 'The counts below are placeholders, not your patients.'), riskCards(noCounts, null))];
}

function criticalAlert({ risk_summary: { critical } }) {
  if (critical === 0) return h('p', { class: 'alert calm' }, h('strong', {}, 'Critical Risk: nobody'));
  return h('a', { class: 'alert level-critical', href: toPatients('critical'), 'data-key': 'critical alert' },
    h('strong', {}, `Critical Risk: ${plural(critical, 'patient')}`), h('span', {}, 'Immediate action needed'));
}

function immediateActions({ immediate_actions_required: number }) {
  return h('a', { class: 'alert actions', href: toPatients('all'), 'data-key': 'immediate actions' },
    h('strong', {}, 'Immediate Actions: ', h('span', { id: 'immediate-actions' }, count(number))),
    h('span', {}, 'Contact them first'));
}

function riskCards(counts, breakdown) {
  return h('ul', { class: 'risk-cards', 'aria-label': 'Patients by risk level' }, levels.map((level) => {
    const { name, since, action } = levelText[level];
    return h('li', {}, h('a', { class: `risk-card level-${level}`, href: toPatients(level), 'data-key': `card ${level}` },
      h('span', { class: 'risk-name' }, h('span', { class: 'dot', 'aria-hidden': 'true' }), `${name} risk`.replace('Engaged risk', 'Engaged')),
      h('span', { class: 'risk-count', 'data-count': level }, count(counts[level])), unseen(' patients. '),
      h('span', { class: 'risk-action' }, action), unseen('. '),
      h('span', { class: 'risk-since' }, since,
        breakdown && breakdown[level].count > 0 && ` · score ${decimal(breakdown[level].avg_score)} on average`)));
  }));
}

function distribution(counts, total) {
  return h('div', { class: 'distribution-row' },
    h('div', { class: 'distribution', 'aria-hidden': 'true' }, levels.filter((level) => counts[level] > 0).map((level) =>
      h('span', { class: `level-${level}`, vars: { share: counts[level] } }))),
    h('span', { class: 'muted', id: 'total-patients' }, plural(total, 'patient')));
}

function topPriority(patients) {
  return panel('Contact first', { class: 'grow' },
    h('ol', { class: 'top-list' }, patients.map((patient, index) => h('li', { 'data-patient': patient.id },
      h('span', { class: 'rank', 'aria-hidden': 'true' }, index + 1),
      h('div', { class: 'top-who' },
        h('h3', {}, h('a', { href: toPatient(patient.id), 'data-key': `top ${patient.id}` }, written(nameOf(patient))), ' ', badge(patient.risk_level)),
        h('p', {}, `${plural(patient.days_since_contact, 'day')} no contact · score ${patient.risk_score}`),
        h('p', { class: 'action' }, patient.action), contactMark(patient.id)),
      contactButtons(patient)))),
    h('p', {}, h('a', { href: toPatients('all'), class: 'more' }, 'All patients in order of priority')));
}

const alertTexts = [
  ['missed_appointments_14d', `missed appointments in ${figures.alert_days} days`, 'Call to book them again'],
  ['failed_communications', `failed contacts in ${figures.alert_days} days`, 'Check the number or address on file'],
  ['no_future_appointments', 'patients with nothing booked', 'Offer the next appointment'],
];

function alerts(figures) {
  return panel('Alerts', {}, h('ul', { class: 'alerts' }, alertTexts.map(([field, text, advice]) =>
    h('li', {}, h('span', { class: 'alert-count', 'data-alert': field }, count(figures[field])),
      h('span', {}, h('span', {}, ` ${text}`), h('small', {}, advice))))));
}

const verdicts = { above_average: 'Above', average: 'Around', below_average: 'Below' };

function contactSuccess({ reengagement_metrics: metrics, benchmark_comparison: benchmark }) {
  const verdict = verdicts[benchmark.our_performance];
  return panel('Outreach, last 30 days', {},
    h('p', { class: 'big-figure' }, percent(metrics.contact_success_rate), h('span', {}, ' Contact Success')),
    bar(metrics.contact_success_rate, benchmark.industry_avg_contact_rate),
    h('p', {}, verdict ? `${verdict} the industry average of ${percent(benchmark.industry_avg_contact_rate)}` : 'No outreach was logged yet.',
      ` · ${plural(metrics.appointments_scheduled, 'appointment')} booked`),
    h('p', {}, h('a', { href: '#/performance', class: 'more' }, 'Performance by channel')));
}
