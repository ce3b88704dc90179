// The message after a failed request: the guide's text, the server's reason, and a next step.

import { h } from './dom.js';
import { timeOfDay } from './format.js';

const guideMessage = 'Unable to load reengagement data';

/** `retry.at` is the time of the automatic retry, by performance.now(). After a 429 no retry is allowed before it. */
export function problemBanner(problem, retry, shownSince) {
  const waits = problem.status === 429 && retry.at > performance.now();
  return h('div', { class: 'notice bad', role: 'alert', id: 'problem' },
    h('div', {},
      h('h2', {}, titles[problem.status] ?? guideMessage),
      h('p', {}, problem.detail, ...problem.errors.map((each) => ` ${each.field}: ${each.message}`)),
      shownSince && h('p', {}, `Below is what was known at ${timeOfDay(shownSince)}.`),
      problem.requestID && h('p', { class: 'request-id', translate: 'no' }, `Request ${problem.requestID}`)),
    h('div', { class: 'notice-side' },
      h('button', { type: 'button', class: 'button', id: 'retry', 'data-key': 'retry', disabled: waits, onclick: retry.now },
        'Try again'),
      retry.at && h('p', { class: 'muted', id: 'countdown' })));
}

const titles = {
  403: 'This organization is not yours to see',
  404: 'There is no such patient',
  422: 'This page was asked for something that cannot be',
  429: 'Too many requests for the moment',
};

/** Called each second while a banner is shown. */
export function countDown(retry) {
  const left = Math.ceil((retry.at - performance.now()) / 1000);
  const text = document.getElementById('countdown');
  if (text) text.textContent = left > 0 ? `By itself in ${left} s` : 'Trying again…';
  if (left <= 0) document.getElementById('retry')?.removeAttribute('disabled');
}

export function skeleton(lines = 6) {
  return h('div', { class: 'skeleton', role: 'status' }, h('span', { class: 'unseen' }, 'Loading…'),
    Array.from({ length: lines }, () => h('div', { class: 'bone', 'aria-hidden': 'true' })));
}
