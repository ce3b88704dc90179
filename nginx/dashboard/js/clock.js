// Spans and the server's time, whatever the clock of the device says.

/** Now, by both clocks of the device: one may stand still while it sleeps, the other one can be set. */
export const mark = () => ({ steady: performance.now(), wall: Date.now() });

/** Milliseconds since then, too many rather than too few. */
export const since = ({ steady, wall }) => Math.max(performance.now() - steady, Date.now() - wall);

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
