// Durations and the server's time, independent of the device's clock.

// One clock of the device may stop during sleep, the other one can be set. If the wall clock gains on the monotonic
// clock, the difference counts as sleep. Setting it back later subtracts nothing.
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

/** Now, with sleep and without. */
export const mark = () => ({ steady: performance.now(), whole: awakeAndAsleep() });

/** Milliseconds since then, rather too many than too few. */
export const since = ({ whole }) => awakeAndAsleep() - whole;

/** The same by the monotonic clock, which nobody can set: fewer if the device has slept. */
export const sinceAwake = ({ steady }) => performance.now() - steady;

let known = null;

/** Every response contains the time at which it was made (RFC 9110, section 6.6.1). */
export function learnTime(response) {
  const time = Date.parse(response.headers.get('Date') ?? '');
  if (!Number.isNaN(time)) known = { time, at: mark() };
}

/** By the server's clock, or by the device's until the first response. */
export const serverTime = () => (known ? known.time + since(known.at) : Date.now());

/**
 * Milliseconds until a time of the server, rather too few than too many, without sleep; null before the first response.
 */
export function spanTo(moment) {
  if (!known) return null;
  return { left: moment - serverTime(), leftAwake: moment - known.time - sinceAwake(known.at) };
}
