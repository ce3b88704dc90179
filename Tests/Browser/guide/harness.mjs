// Runs the integration guide's code blocks unchanged, under node or in a page of another origin.

import { compile } from './jsx.mjs';

const AsyncFunction = (async () => {}).constructor;

export function blocksOf(markdown) {
  return [...markdown.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map(([, language, code]) => ({ language, code }));
}

const kinds = {
  authentication: (code) => code.startsWith('const headers ='),
  logOutreach: (code) => code.startsWith('const logOutreach ='),
  errorHandling: (code) => code.startsWith('try {'),
  read: (code) => /^(\/\/.*\n)?const response = await fetch\(/.test(code),
};

/** Returns the JavaScript blocks by kind. Throws at an unknown kind, which would never run. */
export function sorted(markdown) {
  const all = blocksOf(markdown);
  const result = { read: [], jsx: all.filter(({ language }) => language === 'jsx').map(({ code }) => code) };
  for (const { code } of all.filter(({ language }) => language === 'javascript')) {
    const kind = Object.keys(kinds).find((each) => kinds[each](code));
    if (!kind) throw new Error(`nothing runs this block:\n${code}`);
    if (kind === 'read') result.read.push(code);
    else result[kind] = code;
  }
  return result;
}

/** Returns the guide's example responses. JSON has no comments, so they are removed. */
export function examples(markdown) {
  return blocksOf(markdown).filter(({ language }) => language === 'json')
    .map(({ code }) => JSON.parse(code.replaceAll(/\s\/\/ .*$/gm, '')));
}

function run(setting, code, more = {}) {
  const scope = { API_BASE: setting.base, orgId: setting.organization, clerkToken: setting.token, ...more };
  return new AsyncFunction(...Object.keys(scope), code)(...Object.values(scope));
}

/** Runs each GET of the guide and returns its status and data. */
export async function reads(markdown, setting) {
  const { authentication, read } = sorted(markdown);
  const results = [];
  for (const code of read) {
    const ending = '\nreturn { url: response.url, status: response.status, requestID: response.headers.get("X-Request-Id"), '
      + 'data: typeof data === "undefined" ? await response.json() : data };';
    results.push(await run(setting, `${authentication}\n${code}\n${ending}`));
  }
  return results;
}

/** Runs the guide's logOutreach with every method and outcome and in the way its button calls it. */
export async function writes(markdown, setting) {
  const { authentication, logOutreach } = sorted(markdown);
  const [definition, usage] = logOutreach.split('// Usage in contact buttons');
  const log = await run(setting, `${authentication}\n${definition}\nreturn logOutreach;`);
  const results = [];
  for (const method of ['sms', 'email', 'phone']) {
    for (const outcome of ['success', 'no_response', 'failed']) results.push(await log(setting.patient, method, outcome));
  }
  let pressed;
  const [button] = render(usage, {
    patient: { id: setting.patient }, logOutreach: (...values) => { pressed = log(...values); },
  });
  button.properties.onClick();
  return [...results, await pressed];
}

/** Runs the guide's error handling with the given address and token. */
export function guarded(markdown, setting, path, token = setting.token) {
  const endpoint = `${setting.base}/api/v1/reengagement/${setting.organization}/${path}`;
  const silent = { error: () => {} };
  const { errorHandling } = sorted(markdown);
  return run(setting, errorHandling, { endpoint, headers: { Authorization: `Bearer ${token}` }, console: silent });
}

/** Returns the elements that a snippet creates with their properties, the outermost last. */
export function render(code, scope, ending = '') {
  const made = [];
  const element = (name, properties, children) => {
    made.push({ name, properties, children });
    return made.at(-1);
  };
  const all = { element, handleContact: () => {}, ...scope };
  const value = new Function(...Object.keys(all), `${compile(code)}\n${ending}`)(...Object.values(all));
  return Object.assign(made, { value });
}

/** Returns properties of the React snippets that the guide's examples have and these responses lack. */
export function missing(markdown, answers) {
  const lacking = [];
  const shown = examples(markdown);
  sorted(markdown).jsx.forEach((code, index) => {
    const [wanted, got] = [shown[index], answers[index]].map((data) => render(code, { data }));
    if (wanted.length === 0) throw new Error(`this snippet makes no element:\n${code}`);
    for (const { name, properties } of got) {
      const like = wanted.filter((each) => each.name === name && sameKey(each, properties));
      for (const [property, value] of Object.entries(properties)) {
        const isShown = like.every((each) => each.properties[property] !== undefined);
        if (isShown && isAbsent(value)) lacking.push(`${name} ${property}`);
      }
    }
  });
  return lacking;
}

/** Returns properties without a value in the guide's own examples. For example, its phone has no `sent`. */
export function absent(markdown) {
  const shown = examples(markdown);
  return sorted(markdown).jsx.flatMap((code, index) => render(code, { data: shown[index] }).flatMap(
    ({ name, properties }) => Object.keys(properties).filter((each) => isAbsent(properties[each]))
      .map((each) => `${name} ${properties.key ?? ''} ${each}`)));
}

// Compares a channel with the same channel, and any patient with the guide's patient.
const sameKey = (each, properties) => !['sms', 'email', 'phone'].includes(properties.key) || each.properties.key === properties.key;
const isAbsent = (value) => value === undefined || /undefined|NaN/.test(String(value));

/** Returns the guide's colours for the levels of a patient list and for an unknown level. */
export function colors(markdown, levels) {
  const code = sorted(markdown).jsx.find((each) => each.includes('getRiskColor'));
  return render(code, { data: { patients: [] } }, `return (${JSON.stringify([...levels, 'other'])}).map(getRiskColor);`).value;
}

/** Runs all of it and returns plain values. */
export async function everything(markdown, setting) {
  const read = await reads(markdown, setting);
  const [risk, performance, patients] = read.map(({ data }) => data);
  return {
    read,
    written: await writes(markdown, setting),
    absent: absent(markdown),
    missing: missing(markdown, [risk, performance, patients]),
    colors: colors(markdown, ['critical', 'high', 'medium', 'low', 'engaged']),
    good: await guarded(markdown, setting, 'dashboard'),
    refused: await guarded(markdown, setting, 'dashboard', 'x.y.z'),
    invalid: await guarded(markdown, setting, 'trends?period=x'),
  };
}
