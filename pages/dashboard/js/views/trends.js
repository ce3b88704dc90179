// Development over time: risk levels, outreach, channels, and improvement.

import { get } from '../api.js';
import { chartFigure, loadCharts, releaseCharts } from '../charts.js';
import { h } from '../dom.js';
import { count, percent, plural, shortDate, date, share, signed, zoneOf } from '../format.js';
import { channelText, channels, levelText, levels } from '../levels.js';
import { badge, choice, heading, panel } from '../parts.js';

export const title = 'Trends';

const periods = { '7d': '7 days', '30d': '30 days', '90d': '90 days', '6m': '6 months', '1y': '1 year' };
const periodOf = ({ period }) => (Object.hasOwn(periods, period) ? period : '30d');
const metrics = 'risk_levels,success_rates,channel_performance';

export async function load(parameters, signal) {
  const [trends, performance] = await Promise.all([
    get('trends', { period: periodOf(parameters), metrics }, signal), get('performance', {}, signal), loadCharts(),
  ]);
  return { ...trends, benchmark: performance.benchmark_comparison };
}

export const release = releaseCharts;

export function render(answer) {
  const days = answer.daily_trends;
  const spans = grouped(days);
  return [
    heading(title),
    choice('Period', Object.entries(periods).map(([value, text]) => ({ value, text, href: `#/trends?period=${value}` })), answer.period),
    improvement(answer),
    h('div', { class: 'charts' },
      chartFigure('Patients by risk level', riskChart(days)),
      chartFigure(`Newly at risk and re-engaged, ${spans.unit}`, movementChart(spans)),
      chartFigure(`Outreach and appointments booked, ${spans.unit}`, outreachChart(spans)),
      chartFigure(`Success of the outreach, ${spans.unit}`, ratesChart(days, spans, answer.benchmark)),
      chartFigure(`Success by channel, ${spans.unit}`, channelChart(spans))),
    h('h2', { class: 'section-title' }, 'Channels, against the period before'),
    h('ul', { class: 'channel-trends' }, channels.map((name) => channelTrend(name, answer.channel_performance_trends[name]))),
  ];
}

const arrows = { increasing: '↑', decreasing: '↓', stable: '→', improving: '↑', declining: '↓' };
const trendText = { increasing: 'More', decreasing: 'Fewer', stable: 'About as many' };

function improvement({ risk_distribution_changes: changes, current_risk_distribution: current, daily_trends: [first] }) {
  const tone = { increasing: 'worse', decreasing: 'better', stable: 'same' };
  const zone = zoneOf(first.date);
  return panel(`Since ${date(first.date)}${zone ? ` (${zone})` : ''}`, { class: 'improvement' },
    h('p', { class: `verdict ${changes.overall_improvement ? 'above_average' : 'insufficient_data'}`, id: 'overall' },
      changes.overall_improvement ? 'Improving: a smaller share is at risk' : 'Not improving: the share at risk is no smaller'),
    h('ul', {}, ['critical', 'high'].map((level) => {
      const trend = changes[`${level}_trend`];
      return h('li', { 'data-trend': level }, badge(level), ` ${count(current[level])} `,
        h('span', { class: `trend ${tone[trend]}` }, h('span', { 'aria-hidden': 'true' }, `${arrows[trend]} `), trendText[trend]));
    })));
}

function channelTrend(name, { success_rate_trend: trend, change_pct: change }) {
  const tone = { improving: 'better', declining: 'worse', stable: 'same' };
  return h('li', { class: 'panel', 'data-channel-trend': name }, h('h3', {}, channelText[name]),
    h('p', { class: `trend ${tone[trend]}` }, h('span', { 'aria-hidden': 'true' }, `${arrows[trend]} `),
      `${trend[0].toUpperCase()}${trend.slice(1)}`), h('p', { class: 'muted' }, `${signed(change)} in success rate`));
}

// Single days are too noisy over a long period. From 90 days on they are summed by weeks, counted back from today, so
// that only the first week may be shorter.
function grouped(days) {
  const length = days.length >= 90 ? 7 : 1;
  const groups = [];
  for (let end = days.length; end > 0; end -= length) groups.unshift(days.slice(Math.max(0, end - length), end));
  return {
    unit: length === 7 ? 'by week' : 'by day',
    labels: groups.map((group) => group[0].date),
    sum: (field) => groups.map((group) => total(group, field)),
    rate: (part, all) => groups.map((group) => share(total(group, part), total(group, all))),
  };
}

const total = (group, field) => group.reduce((sum, each) => sum + field(each), 0);
const all = (field) => (each) => channels.reduce((sum, name) => sum + each.channels[name][field], 0);

const riskChart = (days) => ({
  type: 'line', stacked: true, labels: days.map((each) => each.date), label: shortDate, rowLabel: date, value: count,
  series: levels.map((level) => ({ name: levelText[level].name, color: level, values: days.map((each) => each.risk_levels[level]) })),
  summary: `From ${date(days[0].date)} to ${date(days.at(-1).date)}: `
    + levels.map((level) => `${levelText[level].name} ${days[0].risk_levels[level]} to ${days.at(-1).risk_levels[level]}`).join(', '),
});

const spanChart = (spans, type, value, series, more = {}) => ({
  type, labels: spans.labels, label: shortDate, rowLabel: date, value, series, ...more,
});

function movementChart(spans) {
  const series = [
    { name: 'Newly at risk', color: 'critical', values: spans.sum((each) => each.new_at_risk) },
    { name: 'Re-engaged', color: 'engaged', values: spans.sum((each) => each.reengaged_successfully) },
  ];
  return spanChart(spans, 'bar', count, series, { summary: sums(series, 'patient') });
}

function outreachChart(spans) {
  const series = [
    { name: 'Outreach attempts', color: 'accent', values: spans.sum((each) => each.outreach_attempts) },
    { name: 'Appointments booked', color: 'engaged', values: spans.sum((each) => each.appointments_scheduled) },
  ];
  return spanChart(spans, 'bar', count, series, { summary: sums(series, '') });
}

const sums = (series, unit) => series.map(({ name, values }) => {
  const sum = values.reduce((one, other) => one + other, 0);
  return `${name}: ${unit ? plural(sum, unit) : count(sum)}`;
}).join(', ');

// Daily rates cannot be summed. A week's contact rate is computed from its sums. Conversion is shown by day, because
// its attempts are known by day only. A day without attempts has no rate.
function ratesChart(days, spans, benchmark) {
  const series = [{ name: 'Contact success', color: 'accent', values: spans.rate(all('successes'), all('attempts')) }];
  if (spans.unit === 'by day') {
    const reached = all('successes');
    series.push({ name: 'Conversion', color: 'email', values: days.map((each) => (reached(each) ? each.conversion_rate : null)) });
  }
  const industry = benchmark.industry_avg_contact_rate;
  return spanChart(spans, 'line', percent, series, {
    unit: '%', industry, summary: `Beside the industry's contact success of ${percent(industry)}`,
  });
}

function channelChart(spans) {
  const series = channels.map((name) => ({
    name: channelText[name], color: name, values: spans.rate((each) => each.channels[name].successes, (each) => each.channels[name].attempts),
  }));
  return spanChart(spans, 'line', percent, series, { unit: '%', summary: 'Success rate of SMS, email and phone; a day or week without attempts has none' });
}
