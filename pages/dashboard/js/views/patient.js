// One patient: data, next action, and contact history.

import { get } from '../api.js';
import { contactButtons } from '../contact-dialog.js';
import { contactText, h, written } from '../dom.js';
import { amount, count, date, day, moment, percent, plural, zoneOf } from '../format.js';
import { figures } from '../figures.js';
import { channelText, outcomeText } from '../levels.js';
import { isSeen, nameOf } from '../names.js';
import { badge, bar, contactMark, facts, heading, panel } from '../parts.js';
import { toPatients } from '../router.js';

export const title = 'Patient';

export const load = ({ id }, signal) => get(`patients/${encodeURIComponent(id)}`, {}, signal);

export function render(patient) {
  return [
    back(),
    heading(written(nameOf(patient)), badge(patient.risk_level)),
    h('section', { class: `panel what-to-do level-${patient.risk_level}`, 'aria-label': 'What to do', 'data-patient': patient.id },
      h('div', {},
        h('p', { class: 'action' }, patient.recommended_action),
        h('p', {}, `Priority ${patient.action_priority} · risk score ${patient.risk_score} of 100 · `,
          `${plural(patient.days_since_last_contact, 'day')} since the last contact`),
        patient.critical_since && h('p', { id: 'critical-since' }, `Critical since ${date(patient.critical_since)}`),
        contactMark(patient.id)),
      h('div', { class: 'reach' }, contactButtons(patient), addresses(patient))),
    h('div', { class: 'columns even' }, attendance(patient), value(patient)),
    h('div', { class: 'columns' }, outreach(patient.outreach), notes(patient.treatment_notes)),
  ];
}

export const fallback = () => [back(), heading(title)];

function back() {
  return h('p', { class: 'back' }, h('a', { href: toPatients('all'), 'data-key': 'back' }, 'All patients'));
}

function addresses({ phone, email }) {
  return h('p', { class: 'patient-address' }, isSeen(phone) ? contactText(phone) : 'No phone', isSeen(email) ? contactText(email) : 'No email');
}

function attendance(patient) {
  const rate = patient.attendance_rate_percent;
  return panel('Attendance', {},
    h('p', { class: 'big-figure' }, rate === null ? 'No visits' : percent(rate), h('span', {}, ` in the last ${figures.attendance_days} days`)),
    rate !== null && bar(rate),
    facts([
      [`Missed in ${figures.attendance_days} days`, count(patient.missed_appointments_last_90d)],
      ['Visits in all', count(patient.total_lifetime_appointments)],
      ['Last visit', day(patient.last_appointment_date), zoneOf(patient.last_appointment_date)],
      ['Next visit', patient.next_scheduled_appointment ? moment(patient.next_scheduled_appointment) : 'Nothing booked'],
    ]));
}

const statuses = { active: 'Active', dormant: 'Dormant', stale: 'Stale: never in contact' };
const tiers = { high: 'High', medium: 'Medium', low: 'Low' };

function value(patient) {
  return panel('Value and engagement', {},
    h('p', { class: 'big-figure', id: 'lifetime-value' }, amount(patient.lifetime_value), h('span', {}, ' lifetime value')),
    facts([
      ['Engagement', statuses[patient.engagement_status]],
      ['Risk tier', tiers[patient.risk_tier]],
      ['Response rate', percent(patient.previous_response_rate)],
      ['Last contact', date(patient.last_contact_day), zoneOf(patient.last_contact_day)],
      ['Patient since', day(patient.created_at), zoneOf(patient.created_at)],
    ]));
}

function notes(text) {
  return panel('Treatment notes', {}, isSeen(text) ? written(text, 'p', { class: 'notes' }) : h('p', { class: 'muted' }, 'No notes.'));
}

function outreach(attempts) {
  if (attempts.length === 0) return panel('Outreach', {}, h('p', { class: 'muted' }, 'Nobody has logged a contact yet.'));
  return panel('Outreach', { class: 'grow' },
    h('ol', { class: 'history' }, attempts.map((each) => h('li', { class: each.outcome, 'data-outreach': each.outreach_id },
      h('p', { class: 'history-what' }, h('strong', {}, channelText[each.method]), ` ${outcomeText[each.outcome]}`,
        each.opened && ' · opened'),
      h('p', { class: 'muted' }, h('time', { datetime: each.logged_at }, moment(each.logged_at)), ' · ', written(each.logged_by)),
      isSeen(each.notes) && written(each.notes, 'p', { class: 'notes' })))),
    attempts.length === figures.shown_attempts
      && h('p', { class: 'muted' }, `These are the last ${figures.shown_attempts}.`));
}
