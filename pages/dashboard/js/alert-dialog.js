// The dialog that acknowledges an alert with a note, or snoozes it until a day.

import { h, written } from './dom.js';
import { date, today, weekday } from './format.js';
import { nameOf } from './names.js';

const longestNote = 1000;
/** The API's limits for the last day, counted from the clinic's today. */
const longestSnooze = 365;

/** Calls `save` with the day until which the alert is settled, or null, and the note. */
export function openAlert(alert, save) {
  const now = today(alert);
  const fault = h('p', { class: 'field-fault', id: 'alert-fault', role: 'alert' });
  const form = h('form', { autocomplete: 'off', novalidate: true, onsubmit: (event) => submit(event, dialog, fault, save) },
    h('h2', { id: 'alert-title' }, 'Alert of ', written(nameOf(alert))),
    h('fieldset', { class: 'outcomes' }, h('legend', {}, 'How long is it settled?'), choices(now)),
    h('label', { class: 'field' }, h('span', {}, 'Note ', h('span', { class: 'muted' }, '(optional)')),
      h('textarea', { name: 'note', rows: '2', dir: 'auto', autocomplete: 'off', spellcheck: 'false', writingsuggestions: 'false',
        'aria-describedby': 'alert-fault' })),
    fault,
    h('div', { class: 'dialog-buttons' },
      h('button', { type: 'button', class: 'button quiet', onclick: () => leave(dialog) }, 'Cancel'),
      h('button', { type: 'submit', class: 'button primary' }, 'Save')),
    question(() => put(dialog)));
  const dialog = h('dialog', { class: 'dialog', 'aria-labelledby': 'alert-title' }, form);
  dialog.addEventListener('cancel', (event) => { event.preventDefault(); leave(dialog); });
  // A second Escape closes the dialog without a cancel event.
  dialog.addEventListener('close', () => leave(dialog));
  // The session ends.
  dialog.addEventListener('put-aside', () => put(dialog));
  document.body.append(dialog);
  dialog.showModal();
}

function choices(now) {
  const monday = now.plus(8 - weekday(now.text));
  const days = h('input', {
    type: 'date', name: 'day', min: now.plus(1), max: now.plus(longestSnooze), 'aria-label': 'Until this day',
    oninput: () => { days.closest('fieldset').querySelector('[value=day]').checked = true; },
  });
  const option = (value, text, hint, isFirst) => h('label', { class: 'outcome' },
    h('input', { type: 'radio', name: 'until', value, checked: isFirst }), h('span', {}, h('strong', {}, text), hint && h('small', {}, hint)));
  return [
    option(now.plus(1), 'Until tomorrow', date(now.plus(1)), true),
    option(monday, 'Until next week', `Monday, ${date(monday)}`),
    h('div', { class: 'snooze-day' }, option('day', 'Until another day'), days),
    option('', 'For good', 'Until the patient has been in contact and becomes critical again'),
  ];
}

// Asks before a typed note is discarded.
function question(discard) {
  const place = h('div', { class: 'dialog-question', role: 'group', 'aria-labelledby': 'alert-question', hidden: true },
    h('p', { id: 'alert-question' }, 'Discard the note that you have typed?'),
    h('div', { class: 'dialog-buttons' },
      h('button', { type: 'button', class: 'button', onclick: () => { place.hidden = true; noteOf(place.closest('dialog')).focus(); } },
        'Keep writing'),
      h('button', { type: 'button', class: 'button quiet', onclick: discard }, 'Discard')));
  return place;
}

const noteOf = (dialog) => dialog.querySelector('[name=note]');

function submit(event, dialog, fault, save) {
  event.preventDefault();
  const form = event.target;
  const chosen = form.elements.until.value;
  const note = noteOf(dialog).value.trim().toWellFormed();
  const length = [...note].length;
  if (chosen === 'day' && !(form.elements.day.value && form.elements.day.validity.valid)) {
    const { min, max } = form.elements.day;
    fault.textContent = `Choose a day from ${date(min)} to ${date(max)}.`;
    form.elements.day.focus();
  } else if (length > longestNote) {
    fault.textContent = `A note may have ${longestNote} characters; this one has ${length}.`;
    noteOf(dialog).focus();
  } else {
    const until = chosen === 'day' ? form.elements.day.value : chosen;
    put(dialog);
    save({ until: until || null, note });
  }
}

function leave(dialog) {
  if (!dialog.isConnected) return;
  if (noteOf(dialog).value.trim() === '') return put(dialog);
  if (!dialog.open) dialog.showModal();
  const place = dialog.querySelector('.dialog-question');
  place.hidden = false;
  place.querySelector('button').focus();
}

// The browser gives the focus back to the button that opened the dialog.
function put(dialog) {
  dialog.close();
  dialog.remove();
}
