// The success of the outreach, in total and by channel, compared with the industry.

import { get } from '../api.js';
import { h } from '../dom.js';
import { count, decimal, percent, share } from '../format.js';
import { channelText } from '../levels.js';
import { bar, choice, empty, facts, heading, panel } from '../parts.js';

export const title = 'Performance';

const timeframes = { last_7_days: '7 days', last_30_days: '30 days', last_90_days: '90 days' };
const timeframeOf = ({ timeframe }) => (Object.hasOwn(timeframes, timeframe) ? timeframe : 'last_30_days');

export const load = (parameters, signal) => get('performance', { timeframe: timeframeOf(parameters) }, signal);

export function render(answer) {
  const { timeframe, reengagement_metrics: metrics, communication_channels: channels, benchmark_comparison: benchmark } = answer;
  return [
    heading(title, verdict(benchmark.our_performance)),
    choice('Timeframe', Object.entries(timeframes).map(([value, text]) =>
      ({ value, text, href: `#/performance?timeframe=${value}` })), timeframe),
    metrics.outreach_attempts === 0 && empty('No outreach in this time', 'Log contacts from the list of patients, and they are counted here.'),
    h('div', { class: 'metrics' },
      compared('Contact Success Rate', metrics.contact_success_rate, benchmark.industry_avg_contact_rate,
        `${count(metrics.successful_contacts)} reached of ${count(metrics.outreach_attempts)} attempts`),
      compared('Conversion Rate', metrics.conversion_rate, benchmark.industry_avg_conversion,
        `${count(metrics.appointments_scheduled)} booked of ${count(metrics.successful_contacts)} reached`),
      plain('Appointments booked', count(metrics.appointments_scheduled), 'after a successful contact'),
      plain('Days to re-engage', decimal(metrics.avg_days_to_reengage), 'from the contact to the booking, on average')),
    h('h2', { class: 'section-title' }, 'By channel'),
    h('div', { class: 'channels' }, Object.entries(channels).map(([name, stats]) => channel(name, stats, benchmark))),
  ];
}

const verdicts = {
  above_average: 'Above average', average: 'Average', below_average: 'Below average', insufficient_data: 'Not enough data',
};

const verdict = (performance) => h('span', { class: `verdict ${performance}`, id: 'verdict' }, verdicts[performance]);

function compared(name, value, industry, detail) {
  return h('section', { class: 'metric', 'aria-label': name },
    h('h2', {}, name), h('p', { class: 'big-figure' }, percent(value)), bar(value, industry),
    h('p', { class: 'muted' }, comparison(value, industry)), h('p', {}, detail));
}

function plain(name, value, detail) {
  return h('section', { class: 'metric', 'aria-label': name },
    h('h2', {}, name), h('p', { class: 'big-figure' }, value), h('p', {}, detail));
}

function comparison(value, industry) {
  const points = decimal(Math.abs(value - industry));
  if (value === industry) return `Exactly the industry average of ${percent(industry)}`;
  return `${points} points ${value > industry ? 'above' : 'below'} the industry average of ${percent(industry)}`;
}

// The steps of each channel from attempt to result, in the API's terms. The industry's contact rate is compared with
// reached per attempt.
const steps = {
  sms: { tried: 'sent', reached: 'responded', rate: 'response_rate', rows: [['Sent', 'sent'], ['Delivered', 'delivered'], ['Responded', 'responded']] },
  email: { tried: 'sent', reached: 'responded', rate: 'response_rate', rows: [['Sent', 'sent'], ['Opened', 'opened'], ['Responded', 'responded']] },
  phone: { tried: 'attempted', reached: 'connected', rate: 'conversion_rate',
    rows: [['Attempted', 'attempted'], ['Connected', 'connected'], ['Appointment booked', 'appointment_booked']] },
};
const rateText = { response_rate: 'Response rate', conversion_rate: 'Conversion rate' };

function channel(name, stats, benchmark) {
  const { tried, reached, rate, rows } = steps[name];
  const contactRate = share(stats[reached], stats[tried]);
  return panel(channelText[name], { 'data-channel': name },
    h('p', { class: 'big-figure' }, percent(stats[rate]), h('span', {}, ` ${rateText[rate].toLowerCase()}`)),
    h('dl', { class: 'funnel' }, rows.map(([text, field]) => h('div', {},
      h('dt', {}, text), h('dd', { 'data-field': field }, count(stats[field])),
      bar(share(stats[field], stats[tried]) ?? 0)))),
    contactRate === null ? h('p', { class: 'muted' }, 'Not used in this time.') : h('div', { class: 'against' },
      facts([['Reached, of all attempts', percent(contactRate)]]), bar(contactRate, benchmark.industry_avg_contact_rate),
      h('p', { class: 'muted' }, comparison(contactRate, benchmark.industry_avg_contact_rate)),
      rate === 'conversion_rate' && h('p', { class: 'muted' },
        `Conversion: ${comparison(stats[rate], benchmark.industry_avg_conversion)}`)));
}
