// Charts by Chart.js. Each has a summary for screen readers and a table with the exact figures.

import { Problem } from './api.js';
import { h, replaceContent, unseen } from './dom.js';
import { none } from './format.js';

const drawn = new Map();
const patience = 20_000;
let library = null;
let failures = 0;
let onFailure = null;

/** Called with the error if a chart cannot be drawn. */
export const onChartFailure = (listener) => { onFailure = listener; };

/** Loaded by the first view with a chart, and again after a failure. */
export function loadCharts() {
  library ??= fetchLibrary().catch((error) => {
    console.error(error);
    library = null;
    failures += 1;
    throw new Problem(0, 'What draws the charts could not be loaded. Is this device online?');
  });
  return library;
}

async function fetchLibrary() {
  // A browser caches the failure of a module's address, so each retry needs a new address.
  const address = `/dashboard/chart.js${failures > 0 ? `?${failures}` : ''}`;
  const tooLate = new Promise((_, reject) => { setTimeout(() => reject(new Error(`${address} took too long`)), patience); });
  await Promise.race([import(address), tooLate]);
  return globalThis.Chart;
}

export function releaseCharts() {
  for (const { drawing } of drawn.values()) drawing.destroy();
  drawn.clear();
}

addEventListener('beforeprint', () => dressAll(true));
addEventListener('afterprint', () => dressAll(false));

function dressAll(forPaper) {
  for (const { drawing, chart } of drawn.values()) {
    const look = looks[forPaper ? 'paper' : 'screen'];
    drawing.data.datasets = datasets(chart, look);
    drawing.options = options(chart, look);
    if (forPaper) drawing.resize(look.width, look.height);
    else drawing.resize();
    drawing.update();
  }
}

const variable = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

// Print may have no colours. Lines therefore differ in dashes and points, areas in brightness. The chart has the width
// of a sheet without its margins, at print resolution.
const looks = {
  screen: { series: (name) => variable(`chart-${name}`), color: variable, line: () => ({}) },
  paper: {
    series: (name) => variable(`paper-${name}`), color: (name) => variable(`paper-${name}`), width: 700, height: 190, sharpness: 3,
    line: (index) => ({ borderDash: [[], [8, 3], [2, 2]][index], pointStyle: ['circle', 'rect', 'triangle'][index], pointRadius: 3 }),
  },
};

/** `chart`: type, labels, series of {name, color, values}, formatters of labels and values, a summary. */
export function chartFigure(title, chart) {
  const canvas = h('canvas', { role: 'img', 'aria-label': `${title}. ${chart.summary}.` });
  const table = h('div', { class: 'table-scroll', tabindex: '0', role: 'region', 'aria-label': `Figures of ${title}` });
  const details = h('details', {
    'data-key': `figures ${title.split(',')[0]}`,
    ontoggle: () => { if (details.open) replaceContent(table, figures(title, chart)); },
  }, h('summary', {}, 'Figures', unseen(` of ${title}`)), table);
  // After the canvas is in the document and has a size.
  queueMicrotask(() => draw(canvas, chart).catch(onFailure));
  return h('figure', { class: 'panel chart' }, h('figcaption', {}, h('h2', {}, title)),
    h('div', { class: 'canvas' }, canvas), details);
}

function figures(title, { labels, rowLabel, series, value }) {
  return h('table', {}, h('caption', { class: 'unseen' }, title),
    h('thead', {}, h('tr', {}, h('th', { scope: 'col' }, 'From'), series.map(({ name }) => h('th', { scope: 'col' }, name)))),
    h('tbody', {}, labels.map((label, index) => h('tr', {}, h('th', { scope: 'row' }, rowLabel(label)),
      series.map(({ values }) => h('td', {}, values[index] === null ? none : value(values[index])))))));
}

async function draw(canvas, chart) {
  const Chart = await loadCharts();
  if (!canvas.isConnected) return;
  const drawing = new Chart(canvas, {
    type: chart.type,
    data: { labels: chart.labels.map(chart.label), datasets: datasets(chart, looks.screen) },
    options: options(chart, looks.screen),
  });
  drawn.set(canvas, { drawing, chart });
}

function datasets({ type, stacked, series, labels, industry }, look) {
  const few = labels.length <= 31;
  const onPaper = look === looks.paper;
  const made = series.map(({ name, color, values }, index) => ({
    label: name, data: values, backgroundColor: look.series(color) + (stacked && !onPaper ? 'cc' : ''),
    borderColor: onPaper && (stacked || type === 'bar') ? look.color('text') : look.series(color),
    ...(type === 'line' ? { borderWidth: stacked ? 1 : 2, cubicInterpolationMode: 'monotone', spanGaps: true,
      fill: stacked ? (index === 0 ? 'origin' : '-1') : false }
      : { borderRadius: 3, maxBarThickness: 22, borderWidth: onPaper ? 1 : 0 }),
    pointRadius: few && !stacked ? 2.5 : 0, pointHitRadius: 12, ...(type === 'line' && !stacked ? look.line(index) : {}),
  }));
  if (industry === undefined) return made;
  return [...made, {
    label: 'Industry average', data: labels.map(() => industry), borderColor: look.color('muted'), backgroundColor: 'transparent',
    borderWidth: 1.5, borderDash: [6, 5], pointRadius: 0, pointHitRadius: 0, ...(onPaper ? { pointStyle: 'line' } : {}),
  }];
}

function options({ stacked, unit = '', value }, { color, sharpness }) {
  const font = { family: getComputedStyle(document.body).fontFamily, size: 12 };
  return {
    ...(sharpness ? { devicePixelRatio: sharpness } : {}),
    animation: false, responsive: true, maintainAspectRatio: false, interaction: { mode: 'index', intersect: false },
    scales: {
      x: { stacked, grid: { display: false }, ticks: { color: color('muted'), font, maxTicksLimit: 8, maxRotation: 0 } },
      y: {
        stacked, beginAtZero: true, ...(unit === '%' ? { max: 100 } : {}), grid: { color: color('border'), drawBorder: false },
        ticks: { color: color('muted'), font, precision: 0, maxTicksLimit: 6, callback: (number) => `${number}${unit}` },
      },
    },
    plugins: {
      legend: { position: 'bottom', labels: { color: color('text'), font, boxWidth: 10, boxHeight: 10, usePointStyle: true, padding: 14 } },
      tooltip: { callbacks: { label: ({ dataset, parsed }) => ` ${dataset.label}: ${value(parsed.y)}` } },
    },
  };
}
