// Shows the API's description. "Authorize" stores a token in the memory of this frame only, which ends with the page.
// "Try it out" sends its requests to the page around the frame (page.js), which sends them to this host only.

const waiting = new Map();
let count = 0;

function ask(url, { method, headers, body }) {
  count += 1;
  parent.postMessage({ id: count, url, method, headers: { ...headers }, body }, '*');
  return new Promise((resolve, reject) => waiting.set(count, { resolve, reject }));
}

addEventListener('message', ({ source, data: { id, error, status, statusText, headers, body } }) => {
  if (source !== parent || !waiting.has(id)) return;
  const { resolve, reject } = waiting.get(id);
  waiting.delete(id);
  if (error) reject(new TypeError(error));
  else resolve(new Response(body.byteLength ? body : null, { status, statusText, headers }));
});

// The token and the responses, which may contain patients, are removed after the same time without input as on the
// dashboard. Of the device's two clocks, one may stop during sleep and the other one can be set.
let minutes = 15;
let lastInput = null;
const clocks = () => [performance.now(), Date.now()];
const isLeft = () => lastInput !== null && clocks().some((now, index) => now - lastInput[index] >= minutes * 60_000);
const look = () => { if (isLeft()) parent.postMessage({ isLeft: true }, '*'); };
const noteInput = ({ isTrusted, repeat }) => { if (isTrusted && !repeat && !isLeft()) lastInput = clocks(); };

for (const name of ['pointerdown', 'pointermove', 'keydown', 'wheel', 'touchstart']) addEventListener(name, noteInput, true);
for (const name of ['focus', 'pageshow', 'visibilitychange']) addEventListener(name, look, true);
setInterval(look, 1000);
ask('/dashboard/settings', { method: 'GET' }).then((answer) => answer.json())
  .then((settings) => { if (settings.idle_logoff_min > 0) minutes = settings.idle_logoff_min; }).catch(() => {});

// Links to a part of the description work with the page's own address.
for (const name of ['pushState', 'replaceState']) {
  const own = history[name].bind(history);
  history[name] = (...parts) => { own(...parts); parent.postMessage({ hash: location.hash }, '*'); };
}

window.ui = SwaggerUIBundle({
  url: '/docs/openapi.json',
  dom_id: '#docs',
  deepLinking: true,
  displayRequestDuration: true,
  docExpansion: 'list',
  defaultModelsExpandDepth: 0,
  persistAuthorization: false,
  tryItOutEnabled: true,
  // The default shows a badge from a validator on another host.
  validatorUrl: null,
  syntaxHighlight: { activated: true, theme: 'agate' },
  requestInterceptor: (request) => (request.loadSpec ? request : Object.assign(request, { userFetch: ask })),
});
