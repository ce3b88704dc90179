// The server's settings for the page.

import { getSettings } from './api.js';

/** The value before the settings are known, and with a server that does not have them. */
const usual = { idle_logoff_min: 15 };
let known = null;
let asking = null;

export const idleMinutes = () => (known ?? usual).idle_logoff_min;

/** Patient data is shown only after the time until sign-out is known. */
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
  // A day at most, like the server's limit.
  if (!Number.isInteger(minutes) || minutes < 1 || minutes > 24 * 60) throw new TypeError('The settings name no time after which to sign out.');
  known = answer;
}
