// The page around the description. Swagger UI is other people's script, so it stands in a frame whose origin is nobody's
// (docs.conf): what this host keeps in the browser, its other pages and their tokens are out of its reach. "Try it out"
// asks the API through this page, which lets through what the document describes, and nothing else.

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
  // Nobody uses it any more: token and answers go with the frame.
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

// The host decodes a path before it resolves `..`, and a browser after.
function addressOf(url) {
  const { origin, pathname, search } = new URL(url, location.href);
  const isPlain = decodeURIComponent(pathname).split('/').every((part) => part !== '.' && part !== '..');
  return origin === location.origin && isPlain && described.test(pathname) ? pathname + search : null;
}

open();
