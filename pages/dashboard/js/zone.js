// The clinic's time zone, in which the page shows its days and times. The dashboard's answer names it.

import { get } from './api.js';
import { useZone } from './format.js';
import { organization } from './session.js';

const good = 3_600_000;
let known = { organization: null, until: 0 };

export function learnZone({ organization_id: id, time_zone: name }) {
  known = { organization: id, until: performance.now() + good };
  // Without a name, as with a name that means nothing: never the reader's own, as if it were the clinic's.
  useZone(name ?? 'UTC');
}

/** For a view that does not ask for the dashboard by itself. */
export async function askZone(signal) {
  if (known.organization === organization() && performance.now() < known.until) return;
  learnZone(await get('dashboard', {}, signal));
}
