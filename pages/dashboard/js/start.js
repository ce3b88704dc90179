// The modules are loaded by many requests. If one fails, only this file runs.

import('./main.js').catch((error) => {
  console.error(error);
  const title = document.createElement('h2');
  title.textContent = 'This page could not be loaded';
  const reason = document.createElement('p');
  reason.textContent = 'A part of it did not come from the server, or failed at its start. Is this device online? If it is, tell whoever runs this page.';
  const retry = document.createElement('button');
  Object.assign(retry, { type: 'button', className: 'button', id: 'retry', textContent: 'Try again' });
  // A browser caches the failure of a module as long as the document exists.
  retry.addEventListener('click', () => location.reload());
  const notice = document.createElement('div');
  Object.assign(notice, { id: 'problem', className: 'notice bad', role: 'alert' });
  notice.append(title, reason, retry);
  document.getElementById('content').replaceChildren(notice);
});
