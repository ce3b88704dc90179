// What the server's configuration says about the page.

import { getSettings } from './api.js';

/** As long as nothing is known, and of a server that does not know of it. */
const usual = { idle_logoff_min: 15 };
let known = null;
let asking = null;

export const idleMinutes = () => (known ?? usual).idle_logoff_min;

/** Nothing of a patient is shown before it is known how long that may stand there. */
export const askSettings = () => (asking ??= ask().catch((problem) => {
  asking = null;
  throw problem;
}));

async function ask() {
  const answer = await getSettings().catch((problem) => {
    if (problem.status === 404) return usual;
    throw problem;
  });
  const minutes = answer.idle_logoff_min;
  // A day at most, as the server has it.
  if (!Number.isInteger(minutes) || minutes < 1 || minutes > 24 * 60) throw new TypeError('The settings name no time after which to sign out.');
  known = answer;
}
