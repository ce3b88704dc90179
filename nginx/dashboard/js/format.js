// Numbers and dates in words. The page is in English, so they are too.

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat('en', { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const money = new Intl.NumberFormat('en', { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const dayFormat = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric' });
const shortDay = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', timeZone: 'UTC' });
const longDay = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric', timeZone: 'UTC' });
const momentFormat = new Intl.DateTimeFormat('en-GB', {
  day: 'numeric', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit',
});
const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });

export const none = '–';

export const count = (value) => whole.format(value);
export const percent = (value) => (value === null ? none : `${tenths.format(value)}%`);
export const decimal = (value) => tenths.format(value);
/** Without a currency: the clinic's own, which the API does not name. */
export const amount = (value) => money.format(value);

/** Where the reader is: the API's timestamps are UTC. */
export const day = (timestamp) => (timestamp === null ? none : dayFormat.format(new Date(timestamp)));
export const moment = (timestamp) => (timestamp === null ? none : momentFormat.format(new Date(timestamp)));
export const timeOfDay = (date) => clock.format(date);

/** A calendar date of the clinic, which no time zone moves. */
export const date = (text) => longDay.format(new Date(`${text}T00:00:00Z`));
export const shortDate = (text) => shortDay.format(new Date(`${text}T00:00:00Z`));

export const plural = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;
export const signed = (value) => `${value > 0 ? '+' : value < 0 ? '−' : ''}${tenths.format(Math.abs(value))}%`;

/** Of a whole, in percent, rounded half away from zero; null of nothing. */
export const share = (part, all) => (all === 0 ? null : Math.round((part * 1000) / all) / 10);
