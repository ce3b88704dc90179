// What a contact button opens: the patient's number or address, and what came of it.

import { get } from './api.js';
import { announce, h, written } from './dom.js';
import { moment } from './format.js';
import { channelText, outcomeText, outcomes } from './levels.js';
import { isSeen, mailLink, nameOf, phoneLink } from './names.js';
import { focusUndo } from './contacts.js';
import * as outbox from './outbox.js';

const longestNotes = 4000;
/** What opens an address of each channel, and the link for it, null where there is none. */
const opens = { sms: 'Write a message', email: 'Write an email', phone: 'Call' };
const linkTo = { sms: (text) => phoneLink('sms', text), email: mailLink, phone: (text) => phoneLink('tel', text) };
const outcomeHint = {
  success: 'They answered or were spoken to',
  no_response: 'It went out, without an answer so far',
  failed: 'It did not get through',
};

/** The three buttons beside a patient: name and level are what the notice tells later. */
export function contactButtons(patient) {
  return h('div', { class: 'contact-row', role: 'group', 'aria-label': `Contact ${nameOf(patient)}` },
    Object.keys(channelText).map((method) => h('button', {
      type: 'button', class: 'button small', 'data-key': `contact ${patient.id} ${method}`,
      'aria-haspopup': 'dialog', 'aria-label': `${channelText[method]} to ${nameOf(patient)}`,
      onclick: (event) => openContact(patient, method, event.currentTarget.dataset.key),
    }, channelText[method])));
}

function openContact(patient, method, key) {
  const address = h('p', { class: 'contact-address' }, 'Looking up the address…');
  const fault = h('p', { class: 'field-fault', id: 'contact-fault', role: 'alert' });
  const form = h('form', { novalidate: true, onsubmit: (event) => submit(event, patient, method, dialog, fault) },
    h('h2', { id: 'contact-title' }, `${channelText[method]} to `, written(nameOf(patient))),
    address,
    outcomeFields(),
    method === 'email' && h('label', { class: 'check' },
      h('input', { type: 'checkbox', name: 'opened' }), ' The email was opened'),
    h('label', { class: 'field' }, h('span', {}, 'Notes ', h('span', { class: 'muted' }, '(optional)')),
      h('textarea', { name: 'notes', rows: '3', dir: 'auto', 'aria-describedby': 'contact-fault' })),
    fault,
    h('div', { class: 'dialog-buttons' },
      h('button', { type: 'button', class: 'button quiet', onclick: () => dialog.close() }, 'Cancel'),
      h('button', { type: 'submit', class: 'button primary' }, 'Log this contact')),
    h('p', { class: 'muted small' }, `It is logged after ${outbox.undoSeconds} seconds; until then it can be undone.`));
  const dialog = h('dialog', { class: 'dialog', 'aria-labelledby': 'contact-title' }, form);
  dialog.addEventListener('close', () => leave(dialog, key));
  document.body.append(dialog);
  dialog.showModal();
  lookUp(patient, method, address);
}

function outcomeFields() {
  return h('fieldset', { class: 'outcomes' }, h('legend', {}, 'What came of it?'),
    outcomes.map((outcome) => h('label', { class: 'outcome' },
      h('input', { type: 'radio', name: 'outcome', value: outcome, required: true }),
      h('span', {}, h('strong', {}, outcomeText[outcome]), h('small', {}, outcomeHint[outcome])))));
}

async function lookUp(patient, method, place) {
  try {
    const detail = await get(`patients/${encodeURIComponent(patient.id)}`);
    place.replaceChildren(...addressOf(detail, method), ...lastOf(detail));
  } catch (problem) {
    place.textContent = `The address could not be loaded: ${problem.detail ?? problem.message} `
      + 'The contact can be logged all the same.';
  }
}

function addressOf(detail, method) {
  const address = method === 'email' ? detail.email : detail.phone;
  if (!isSeen(address)) return [`No ${method === 'email' ? 'email address' : 'phone number'} on file.`];
  const href = linkTo[method](address);
  const link = href ? [h('a', { class: 'button', href }, opens[method]), ' '] : [];
  return [...link, written(address, 'bdi', { class: 'contact-number' })];
}

function lastOf({ outreach: [last] }) {
  if (!last) return [h('small', {}, 'No outreach so far.')];
  return [h('small', {}, `Last: ${channelText[last.method]}, ${outcomeText[last.outcome].toLowerCase()}, ${moment(last.logged_at)}`)];
}

function submit(event, patient, method, dialog, fault) {
  event.preventDefault();
  const form = new FormData(event.target);
  const outcome = form.get('outcome');
  const notes = form.get('notes').trim().toWellFormed();
  const length = [...notes].length;
  if (!outcome) {
    fault.textContent = 'Choose what came of it.';
    event.target.querySelector('[name=outcome]').focus();
  } else if (length > longestNotes) {
    fault.textContent = `Notes may have ${longestNotes} characters; these have ${length}.`;
    event.target.querySelector('[name=notes]').focus();
  } else {
    const fields = { method, outcome, notes, ...(form.has('opened') ? { opened: true } : {}) };
    dialog.made = outbox.add(patient, fields);
    dialog.close();
  }
}

function leave(dialog, key) {
  dialog.remove();
  if (dialog.made) return focusUndo(dialog.made);
  document.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus();
  announce('Nothing was logged.');
}
