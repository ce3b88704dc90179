// The dialog of a contact button: the patient's number or address, and the outcome.

import { get } from './api.js';
import { announce, contactText, h, written } from './dom.js';
import { moment } from './format.js';
import { channelText, outcomeText, outcomes } from './levels.js';
import { isSeen, mailLink, nameOf, phoneLink } from './names.js';
import { focusUndo } from './contacts.js';
import * as outbox from './outbox.js';

const longestNotes = 4000;
/** The link for an address of each channel; null if there is none. */
const opens = { sms: 'Write a message', email: 'Write an email', phone: 'Call' };
const linkTo = { sms: (text) => phoneLink('sms', text), email: mailLink, phone: (text) => phoneLink('tel', text) };
const outcomeHint = {
  success: 'They answered or were spoken to',
  no_response: 'It went out, without an answer so far',
  failed: 'It did not get through',
};

/** The three buttons of a patient. The notice shows the name and level later. */
export function contactButtons(patient) {
  return h('div', { class: 'contact-row', role: 'group', 'aria-label': `Contact ${nameOf(patient)}` },
    Object.keys(channelText).map((method) => h('button', {
      type: 'button', class: 'button small', 'data-key': `contact ${patient.id} ${method}`,
      'aria-haspopup': 'dialog', 'aria-label': `${channelText[method]} to ${nameOf(patient)}`,
      onclick: (event) => openContact(patient, method, event.currentTarget.dataset.key),
    }, channelText[method])));
}

/** Notes that were typed and not logged, after the same person has signed in again. */
export function reopenContact(entry) {
  if (!document.querySelector('dialog[open]')) openContact(entry.patient, entry.fields.method, null, entry);
}

/** The session ends while a dialog is open. The dialog closes, and typed notes are stored for their person. */
export function closeContact() {
  document.querySelector('dialog[open]')?.dispatchEvent(new Event('put-aside'));
}

function openContact(patient, method, key, entry = outbox.begin(patient, { method, outcome: null, notes: '' })) {
  const address = h('p', { class: 'contact-address' }, 'Looking up the address…');
  const fault = h('p', { class: 'field-fault', id: 'contact-fault', role: 'alert' });
  // Without this a browser stores typed text unencrypted on disk, to restore it after a crash. Some read the field's
  // attribute, others the form's.
  const form = h('form', { autocomplete: 'off', novalidate: true, onsubmit: (event) => submit(event, entry, dialog, fault),
    oninput: () => outbox.write(entry, fieldsOf(form, method)) },
    h('h2', { id: 'contact-title' }, `${channelText[method]} to `, written(nameOf(patient))),
    address,
    outcomeFields(entry.fields.outcome),
    method === 'email' && h('label', { class: 'check' },
      h('input', { type: 'checkbox', name: 'opened', checked: entry.fields.opened }), ' The email was opened'),
    h('label', { class: 'field' }, h('span', {}, 'Notes ', h('span', { class: 'muted' }, '(optional)')),
      // Some browsers send text to a spelling service of their vendor.
      h('textarea', { name: 'notes', rows: '3', dir: 'auto', autocomplete: 'off', spellcheck: 'false', writingsuggestions: 'false',
        'aria-describedby': 'contact-fault' }, entry.fields.notes)),
    fault,
    h('div', { class: 'dialog-buttons' },
      h('button', { type: 'button', class: 'button quiet', onclick: () => leave(dialog, entry, key) }, 'Cancel'),
      h('button', { type: 'submit', class: 'button primary' }, 'Log this contact')),
    question(() => end(dialog, entry, key, true)),
    h('p', { class: 'muted small' }, `It is logged after ${outbox.undoSeconds} seconds; until then it can be undone.`));
  const dialog = h('dialog', { class: 'dialog', 'aria-labelledby': 'contact-title' }, form);
  entry.isOpen = true;
  dialog.addEventListener('cancel', (event) => { event.preventDefault(); leave(dialog, entry, key); });
  // A second Escape closes the dialog without a cancel event.
  dialog.addEventListener('close', () => leave(dialog, entry, key));
  dialog.addEventListener('put-aside', () => end(dialog, entry, key, entry.state === 'blank'));
  document.body.append(dialog);
  dialog.showModal();
  lookUp(patient, method, address);
}

// Asks before typed notes are discarded.
function question(discard) {
  const place = h('div', { class: 'dialog-question', role: 'group', 'aria-labelledby': 'contact-question', hidden: true },
    h('p', { id: 'contact-question' }, 'Discard the notes that you have typed?'),
    h('div', { class: 'dialog-buttons' },
      h('button', { type: 'button', class: 'button', onclick: () => { place.hidden = true; focusNotes(place.closest('dialog')); } },
        'Keep writing'),
      h('button', { type: 'button', class: 'button quiet', onclick: discard }, 'Discard')));
  return place;
}

const focusNotes = (dialog) => dialog.querySelector('[name=notes]').focus();

function outcomeFields(chosen) {
  return h('fieldset', { class: 'outcomes' }, h('legend', {}, 'What came of it?'),
    outcomes.map((outcome) => h('label', { class: 'outcome' },
      h('input', { type: 'radio', name: 'outcome', value: outcome, required: true, checked: outcome === chosen }),
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
  return [...link, contactText(address, { class: 'contact-number' })];
}

function lastOf({ outreach: [last] }) {
  if (!last) return [h('small', {}, 'No outreach so far.')];
  return [h('small', {}, `Last: ${channelText[last.method]}, ${outcomeText[last.outcome].toLowerCase()}, ${moment(last.logged_at)}`)];
}

function fieldsOf(form, method) {
  const data = new FormData(form);
  return { method, outcome: data.get('outcome'), notes: data.get('notes'), ...(data.has('opened') ? { opened: true } : {}) };
}

function submit(event, entry, dialog, fault) {
  event.preventDefault();
  const fields = fieldsOf(event.target, entry.fields.method);
  const notes = fields.notes.trim().toWellFormed();
  const length = [...notes].length;
  if (!fields.outcome) {
    fault.textContent = 'Choose what came of it.';
    event.target.querySelector('[name=outcome]').focus();
  } else if (length > longestNotes) {
    fault.textContent = `Notes may have ${longestNotes} characters; these have ${length}.`;
    focusNotes(dialog);
  } else {
    put(dialog, entry);
    outbox.finish(entry, { ...fields, notes });
    focusUndo(entry);
  }
}

function leave(dialog, entry, key) {
  if (!dialog.isConnected) return;
  if (entry.state !== 'draft') return end(dialog, entry, key, true);
  if (!dialog.open) dialog.showModal();
  const place = dialog.querySelector('.dialog-question');
  place.hidden = false;
  place.querySelector('button').focus();
}

function end(dialog, entry, key, isDiscarded) {
  put(dialog, entry);
  if (!isDiscarded) return;
  outbox.discard(entry);
  document.querySelector(`[data-key="${CSS.escape(key ?? `contact ${entry.patient.id} ${entry.fields.method}`)}"]`)?.focus();
  announce('Nothing was logged.');
}

function put(dialog, entry) {
  entry.isOpen = false;
  dialog.close();
  dialog.remove();
}
