// The form for a token: before the first sign-in, and after a session has ended.

import { h, replaceContent, written } from '../dom.js';
import { faultOf, localOrganizations, signIn } from '../session.js';
import { setTitle } from '../tab.js';

export function showSignIn(content, reason) {
  const fault = h('p', { class: 'field-fault', id: 'token-fault', role: 'alert' });
  const field = h('textarea', {
    id: 'token', rows: '4', required: true, autocomplete: 'off', autocapitalize: 'off', spellcheck: 'false',
    'aria-describedby': 'token-help token-fault',
  });
  setTitle('Sign in – Reengagement');
  // Browsers store typed text on disk to restore it after a crash, unless it is forbidden. Some read the field's
  // attribute, others the form's.
  replaceContent(content, h('form', { class: 'panel sign-in', autocomplete: 'off', novalidate: true, onsubmit: (event) => submit(event, field, fault) },
    h('h1', { tabindex: '-1' }, 'Sign in'),
    reason && h('p', { class: 'notice', id: 'reason', role: 'status' }, reason),
    h('label', { for: 'token' }, 'Session token'),
    field,
    h('p', { class: 'muted', id: 'token-help' },
      'Paste the token of your Clerk session. It stays in the memory of this tab, and is forgotten when you sign out, '
      + 'close or reload the page, or leave it unused.'),
    fault,
    h('button', { type: 'submit', class: 'button primary' }, 'Continue'),
    localOrganizations().map(({ id, token }) =>
      h('button', { type: 'button', class: 'button', onclick: () => signIn(token) }, 'Continue as ', written(id)))));
  field.focus();
}

/** A token that was pasted and not submitted is removed too. True if there was one. */
export function forgetUnsent() {
  if (!document.getElementById('token')?.value) return false;
  // A new field, because a browser can undo changes of an existing one.
  showSignIn(document.getElementById('content'), 'The token that stood here was not used, and is forgotten.');
  return true;
}

function submit(event, field, fault) {
  event.preventDefault();
  const text = field.value.trim().replace(/^Bearer\s+/i, '');
  fault.textContent = faultOf(text) ?? '';
  if (fault.textContent) {
    field.setAttribute('aria-invalid', 'true');
    field.focus();
  } else {
    signIn(text);
  }
}
