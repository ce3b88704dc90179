// The page around Swagger UI. Swagger UI is third-party code, so it runs in a frame with an opaque origin (docs.conf),
// which cannot read this host's storage, other pages and their tokens. "Try it out" calls the API through this page,
// which forwards documented requests only.

let frame;

function open() {
  frame = document.createElement('iframe');
  frame.title = 'The description of the API';
  frame.sandbox = 'allow-scripts allow-forms';
  frame.src = `/docs/ui.html${location.hash}`;
  document.getElementById('docs').replaceChildren(frame);
}

const described = /^\/(?:api\/v1\/reengagement\/.+|problems\/.+|health|ready|metrics|openapi\.json|dashboard\/settings)$/;

addEventListener('message', async ({ source, data }) => {
  if (source !== frame.contentWindow) return;
  // After a time without input the frame is replaced, with its token and responses.
  if (data?.isLeft) open();
  else if (typeof data?.hash === 'string') history.replaceState(null, '', `#${data.hash.slice(1)}`);
  else if (data?.id !== undefined) source.postMessage({ id: data.id, ...await answerTo(data).catch(({ message }) => ({ error: message })) }, '*');
});

async function answerTo({ url, method, headers, body }) {
  const address = addressOf(url);
  if (!address) throw new TypeError('This is no address of the API.');
  const response = await fetch(address, { method, headers, body, credentials: 'omit', cache: 'no-store', redirect: 'error' });
  return { status: response.status, statusText: response.statusText, headers: [...response.headers], body: await response.arrayBuffer() };
}

// The host decodes a path before it resolves `..`, a browser afterwards.
function addressOf(url) {
  const { origin, pathname, search } = new URL(url, location.href);
  const isPlain = decodeURIComponent(pathname).split('/').every((part) => part !== '.' && part !== '..');
  return origin === location.origin && isPlain && described.test(pathname) ? pathname + search : null;
}

open();
