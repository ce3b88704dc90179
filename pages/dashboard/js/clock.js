// Spans and the server's time, whatever the clock of the device says.

// One clock of the device may stand still while it sleeps, the other one can be set. What that one gains on the first is taken
// for sleep, as soon as it is seen: set back later, it takes nothing away.
const leastLeap = 1000;
let slept = 0;
let before = null;

function awakeAndAsleep() {
  const now = { steady: performance.now(), wall: Date.now() };
  const leap = before ? now.wall - before.wall - (now.steady - before.steady) : 0;
  if (leap >= leastLeap) slept += leap;
  before = now;
  return now.steady + slept;
}

/** Now, with and without sleep. */
export const mark = () => ({ steady: performance.now(), whole: awakeAndAsleep() });

/** Milliseconds since then, too many rather than too few. */
export const since = ({ whole }) => awakeAndAsleep() - whole;

/** The same by the clock that nobody sets: fewer, where the device has slept. */
export const sinceAwake = ({ steady }) => performance.now() - steady;

let known = null;

/** Every answer says when it was made (RFC 9110, section 6.6.1). */
export function learnTime(response) {
  const time = Date.parse(response.headers.get('Date') ?? '');
  if (!Number.isNaN(time)) known = { time, at: mark() };
}

/** By the server's clock; by the device's only until something has been answered. */
export const serverTime = () => (known ? known.time + since(known.at) : Date.now());

/** Milliseconds to a moment of the server's, too few rather than too many, and without sleep; null before any answer. */
export function spanTo(moment) {
  if (!known) return null;
  return { left: moment - serverTime(), leftAwake: moment - known.time - sinceAwake(known.at) };
}
