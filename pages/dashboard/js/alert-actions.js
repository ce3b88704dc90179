// Acknowledging, snoozing and reopening an alert. Each is answered by a notice with the next step.

import { Problem, submit } from './api.js';
import { h, written } from './dom.js';
import { date } from './format.js';
import { nameOf } from './names.js';
import { toast } from './toasts.js';

const inProgress = new Set();
let whenDone = null;

/** Called after each attempt, because the alerts may have changed. Returns a promise. */
export const onAlertAction = (listener) => { whenDone = listener; };

/** Without `until` the alert stays acknowledged until the patient is critical anew. */
export const acknowledge = (alert, { until = null, note = '' } = {}) =>
  act(alert, 'acknowledge', { ...(until ? { until } : {}), note },
    until ? `is snoozed until ${date(until)}` : 'is acknowledged', [['Undo', () => reopen(alert)]]);

export const reopen = (alert) => act(alert, 'reopen', {}, 'is open again', []);

async function act(alert, path, more, result, buttons) {
  const key = `${alert.id} ${alert.critical_since}`;
  if (inProgress.has(key)) return;
  inProgress.add(key);
  try {
    await submit(`alerts/${path}`, { patient_id: alert.id, critical_since: alert.critical_since, ...more });
    say(alert, result, { buttons });
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    explain(alert, problem, () => act(alert, path, more, result, buttons));
  } finally {
    inProgress.delete(key);
  }
  await whenDone();
}

function explain(alert, problem, again) {
  if (problem.status === 409) return say(alert, 'is no longer critical since that day, so there is nothing to do');
  if (problem.status === 404) return say(alert, 'is no longer a patient here');
  // The page asks for a new token, and shows who may not see this organization.
  if ([401, 403].includes(problem.status)) return null;
  const reason = [problem.detail, ...problem.errors.map((each) => each.message)].join(' ');
  return say(alert, `was not changed. ${reason}${problem.requestID ? ` Request ${problem.requestID}` : ''}`,
    { buttons: problem.isPassing ? [['Try again', again]] : [], kind: 'bad', isLasting: true });
}

function say(alert, result, more = {}) {
  const name = nameOf(alert);
  toast({ text: `${name} ${result}.`, content: [h('strong', {}, written(name)), ` ${result}.`], ...more });
}
