// The frame around every view: navigation, organization, time of the last update.

import { bell } from './bell.js';
import { h, replaceContent, written } from './dom.js';
import { moment, timeOfDay } from './format.js';
import * as session from './session.js';

const pages = [
  ['overview', '#/', 'Overview'], ['patients', '#/patients', 'Patients'],
  ['performance', '#/performance', 'Performance'], ['trends', '#/trends', 'Trends'],
];

/** Without a route nobody is signed in. */
export function showShell(route, changeOrganization, leave) {
  const nav = document.getElementById('pages');
  nav.hidden = !route;
  const current = route?.name === 'patient' ? 'patients' : route?.name;
  replaceContent(nav, h('ul', {}, pages.map(([name, href, text]) => h('li', {},
    h('a', { href, 'data-key': `page ${name}`, 'aria-current': name === current ? 'page' : null }, text)))));
  const who = document.getElementById('who');
  if (!route) {
    document.getElementById('as-of').textContent = '';
    return who.replaceChildren();
  }
  replaceContent(who,
    h('span', { class: 'updated', id: 'updated' }, who.querySelector('#updated')?.textContent ?? ''),
    bell(route.name === 'alerts'),
    organization(changeOrganization),
    h('button', { type: 'button', class: 'button quiet small', 'data-key': 'sign out', onclick: leave }, 'Sign out'));
}

export function showUpdated(date) {
  const place = document.getElementById('updated');
  if (place) place.textContent = `Updated ${timeOfDay(date)}`;
  document.getElementById('as-of').replaceChildren(written(session.organization()), `, as of ${moment(date)}`);
}

// The local set-up offers several organizations. A pasted token names one.
function organization(change) {
  const current = session.organization();
  const offered = session.localOrganizations();
  if (!offered.some(({ id }) => id === current)) return written(current, 'span', { class: 'organization' });
  return h('label', { class: 'organization' }, h('span', { class: 'unseen' }, 'Organization'),
    h('select', {
      'data-key': 'organization', translate: 'no',
      onchange: (event) => change(offered.find((each) => each.id === event.target.value).token),
    }, offered.map(({ id }) => h('option', { value: id, selected: id === current }, id))));
}
