// Elements are made here and nowhere from text, so that a name is always a name.

/** An element with attributes, listeners (`onclick`) and children; false, null and undefined are left out. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name === 'vars') setVariables(element, value);
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...present(children));
  return element;
}

function present(children) {
  return children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
}

// Through the object model, which the page's policy allows; a style attribute it does not.
function setVariables(element, variables) {
  for (const [name, value] of Object.entries(variables)) element.style.setProperty(`--${name}`, String(value));
}

/** What somebody else wrote, in whatever script: it decides its own direction and nobody else's, and is not to be translated. */
export function written(text, tag = 'bdi', attributes = {}) {
  return h(tag, { dir: 'auto', translate: 'no', ...attributes }, text);
}

// What would turn or hide some of an address, so that it reads as another one.
const turnsOrHides = /((?![\t\n\r])[\p{Bidi_Control}\p{Default_Ignorable_Code_Point}\p{Cf}\p{Cc}])/u;
const codeOf = (character) => `U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, '0')}`;

/** A phone number or e-mail address, with what cannot be seen in it as what it is. */
export function contactText(text, attributes = {}) {
  const parts = text.split(turnsOrHides).map((part, index) => (index % 2 === 0 ? part : h('span', { class: 'control' }, codeOf(part))));
  return written(parts, 'bdi', attributes);
}

export function unseen(text) {
  return h('span', { class: 'unseen' }, text);
}

let announcing = null;

/** Says something to a screen reader, again even if it is the same as before; of what was said nothing stays. */
export function announce(text) {
  const region = document.getElementById('announcer');
  region.textContent = '';
  clearTimeout(announcing);
  announcing = setTimeout(() => { region.textContent = text; }, 60);
}

/** Puts new content in place and the focus back on what has the same `data-key`; open details stay open. */
export function replaceContent(parent, ...content) {
  const key = parent.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  const open = [...parent.querySelectorAll('details[open][data-key]')].map((each) => each.dataset.key);
  parent.replaceChildren(...present(content));
  for (const details of parent.querySelectorAll('details[data-key]')) {
    if (open.includes(details.dataset.key)) details.open = true;
  }
  if (key) focusKey(parent, key);
}

export function focusKey(parent, key) {
  const found = parent.querySelector(`[data-key="${CSS.escape(key)}"]`);
  found?.focus({ preventScroll: true });
  return Boolean(found);
}
