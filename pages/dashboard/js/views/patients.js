// The list of patients: sorted, filtered by level or searched, page by page.

import { get, search } from '../api.js';
import { contactButtons } from '../contact-dialog.js';
import { contactText, h, written } from '../dom.js';
import { count, day, percent, plural, zoneOf } from '../format.js';
import { figures } from '../figures.js';
import { levelText, levels } from '../levels.js';
import { isSeen, nameOf } from '../names.js';
import { badge, choice, contactMark, empty, facts, heading } from '../parts.js';
import { toPatient, toPatients } from '../router.js';

export const title = 'Patients';

const sizes = [25, 50, 100, 200];
/** The cursors of the visited pages of each level, so that "Back" shows the same page. */
const trails = new Map();
let size = sizes[0];
const missedText = `Missed, ${figures.attendance_days} days`;
const orders = { priority: 'Priority', name: 'Name', last_contact: 'Last contact' };
let order = 'priority';
/** The search text, which is never part of an address, and the text that was typed since. */
let wanted = '';
let typed = '';

export function forget() {
  trails.clear();
  [order, wanted, typed] = ['priority', '', ''];
}

const levelOf = ({ level }) => (levels.includes(level) ? level : 'all');
const trailOf = (level) => trails.get(level) ?? [];

export async function load(parameters, signal) {
  const level = levelOf(parameters);
  const trail = trailOf(level);
  const [list, risk] = await Promise.all([
    search({ risk_level: level, q: wanted || null, sort: order, limit: size, cursor: trail.at(-1)?.cursor ?? null }, signal),
    get('risk-metrics', {}, signal),
  ]);
  // The patients of the last page may have moved to an earlier one.
  if (list.patients.length === 0 && trail.length > 0) {
    trails.set(level, trail.slice(0, -1));
    return load(parameters, signal);
  }
  return { level, list, counts: risk.risk_summary, before: trail.at(-1)?.before ?? 0 };
}

export function render({ level, list, counts, before }, context) {
  const all = levels.reduce((sum, each) => sum + counts[each], 0);
  return [
    heading(title),
    choice('Risk level', [
      { value: 'all', text: 'All', href: toPatients('all'), more: h('span', { class: 'tally' }, count(all)) },
      ...levels.map((each) => ({
        value: each, text: levelText[each].name, href: toPatients(each),
        more: h('span', { class: `tally level-${each}` }, count(counts[each])),
      })),
    ], level),
    searchForm(context),
    level !== 'all' && h('p', { class: 'level-advice' }, h('strong', {}, `${levelText[level].action}. `), levelText[level].since, '.'),
    list.patients.length === 0 ? nobody(level) : h('ol', { class: 'patients', start: before + 1 }, heads(), list.patients.map(row)),
    list.patients.length > 0 && pager(level, list, before, context),
  ];
}

function searchForm(context) {
  const change = () => { trails.clear(); context.reload(); };
  const field = h('input', {
    type: 'search', 'data-key': 'search', maxlength: 100, autocomplete: 'off', spellcheck: 'false',
    oninput: () => { typed = field.value; field.setCustomValidity(''); },
  });
  field.value = typed;
  const submit = (event) => {
    event.preventDefault();
    const text = typed.trim();
    const isShort = text !== '' && [...text].length < 3;
    field.setCustomValidity(isShort ? 'Type at least 3 characters.' : '');
    if (!field.reportValidity() || text === wanted) return;
    wanted = text;
    change();
  };
  return h('form', { class: 'search', role: 'search', autocomplete: 'off', novalidate: true, onsubmit: submit },
    h('label', {}, 'Name, email or phone ', field),
    h('button', { type: 'submit', class: 'button', 'data-key': 'find' }, 'Search'),
    wanted !== '' && h('button', {
      type: 'button', class: 'button', 'data-key': 'everybody', onclick: () => { [wanted, typed] = ['', '']; change(); },
    }, 'Show everybody'),
    h('label', {}, 'Order ', h('select', {
      'data-key': 'order', onchange: (event) => { order = event.target.value; change(); },
    }, Object.entries(orders).map(([value, text]) => h('option', { value, selected: value === order }, text)))));
}

function nobody(level) {
  if (wanted !== '') {
    return empty('Nobody found', 'No ', level === 'all' ? 'patient' : `patient at the level ${levelText[level].name}`,
      ' has “', written(wanted), '” in the name, email address or phone number.');
  }
  return empty(level === 'all' ? 'No patients yet' : 'Nobody here', level === 'all'
    ? 'As soon as your practice software has sent patients, they are listed here.'
    : `No patient is at the level ${levelText[level].name} today.`);
}

// For print, where the list is a table.
const heads = () => h('li', { class: 'on-paper patients-heads' },
  ['Patient', 'Risk', 'What to do', 'Last contact', 'Next visit', missedText, 'Responds'].map((text) => h('span', {}, text)));

function row(patient) {
  return h('li', { class: `patient level-${patient.risk_level}`, 'data-patient': patient.id },
    h('div', { class: 'patient-who' },
      h('h2', {}, h('a', { href: toPatient(patient.id), 'data-key': `patient ${patient.id}` }, written(nameOf(patient)))),
      h('p', { class: 'patient-address' }, isSeen(patient.phone) && contactText(patient.phone), isSeen(patient.email) && contactText(patient.email),
        !isSeen(patient.phone) && !isSeen(patient.email) && 'No phone or email on file')),
    h('div', { class: 'patient-risk' }, badge(patient.risk_level),
      h('span', { class: 'score' }, `Score ${patient.risk_score}`)),
    h('p', { class: `patient-action priority-${patient.action_priority}` },
      h('span', { class: 'priority' }, `Priority ${patient.action_priority}`), patient.recommended_action),
    facts([
      ['Last contact', `${plural(patient.days_since_last_contact, 'day')} ago`],
      ['Next visit', day(patient.next_scheduled_appointment), zoneOf(patient.next_scheduled_appointment)],
      [missedText, count(patient.missed_appointments_last_90d)],
      ['Responds', percent(patient.previous_response_rate)],
    ]),
    h('div', { class: 'patient-contact' }, contactButtons(patient), contactMark(patient.id)));
}

function pager(level, { patients, summary }, before, context) {
  const trail = trailOf(level);
  const go = (next) => { trails.set(level, next); scrollTo(0, 0); context.reload(); };
  return h('nav', { class: 'pager', 'aria-label': 'Pages of patients' },
    h('p', { id: 'range' }, `${count(before + 1)}–${count(before + patients.length)} of ${summary.total === null ? 'more than 1,000' : count(summary.total)}`),
    sizeChoice(go),
    h('button', {
      type: 'button', class: 'button', 'data-key': 'previous', disabled: trail.length === 0, onclick: () => go(trail.slice(0, -1)),
    }, 'Previous'),
    h('button', {
      type: 'button', class: 'button', 'data-key': 'next', disabled: summary.next_cursor === null,
      onclick: () => go([...trail, { cursor: summary.next_cursor, before: before + patients.length }]),
    }, 'Next'));
}

function sizeChoice(go) {
  return h('label', { class: 'size' }, 'On a page ', h('select', {
    'data-key': 'size',
    onchange: (event) => { size = Number(event.target.value); go([]); },
  }, sizes.map((each) => h('option', { value: each, selected: each === size }, each))));
}
