// The clinic's time zone, in which the page shows days and times. The dashboard's response contains it.

import { get } from './api.js';
import { useZone } from './format.js';
import { organization } from './session.js';

const good = 3_600_000;
let known = { organization: null, until: 0 };

export function learnZone({ organization_id: id, time_zone: name }) {
  known = { organization: id, until: performance.now() + good };
  // Without a zone, or with an unknown one, times are UTC and never in the reader's own zone.
  useZone(name ?? 'UTC');
}

/** For a view that does not request the dashboard itself. */
export async function askZone(signal) {
  if (known.organization === organization() && performance.now() < known.until) return;
  learnZone(await get('dashboard', {}, signal));
}
