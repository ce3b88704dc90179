// Elements are created here and never from text, so that a name cannot become markup.

/** An element with attributes, listeners (`onclick`) and children. false, null and undefined are omitted. */
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

// Through the object model, which the content security policy allows. It forbids a style attribute.
function setVariables(element, variables) {
  for (const [name, value] of Object.entries(variables)) element.style.setProperty(`--${name}`, String(value));
}

/** Text from other people, in any script. It has its own direction and is not translated. */
export function written(text, tag = 'bdi', attributes = {}) {
  return h(tag, { dir: 'auto', translate: 'no', ...attributes }, text);
}

// Characters that reverse or hide parts of an address, so that it reads as another one.
const turnsOrHides = /((?![\t\n\r])[\p{Bidi_Control}\p{Default_Ignorable_Code_Point}\p{Cf}\p{Cc}])/u;
const codeOf = (character) => `U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, '0')}`;

/** A phone number or e-mail address, with its invisible characters made visible. */
export function contactText(text, attributes = {}) {
  const parts = text.split(turnsOrHides).map((part, index) => (index % 2 === 0 ? part : h('span', { class: 'control' }, codeOf(part))));
  return written(parts, 'bdi', attributes);
}

export function unseen(text) {
  return h('span', { class: 'unseen' }, text);
}

let announcing = null;

/** Announces a text to screen readers, also if it is the same as before. The text is removed afterwards. */
export function announce(text) {
  const region = document.getElementById('announcer');
  region.textContent = '';
  clearTimeout(announcing);
  announcing = setTimeout(() => { region.textContent = text; }, 60);
}

/** Replaces the content and restores the focus to the element with the same `data-key`. Open details stay open. */
export function replaceContent(parent, ...content) {
  const key = parent.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  const open = [...parent.querySelectorAll('details[open][data-key]')].map((each) => each.dataset.key);
  parent.replaceChildren(...present(content));
  for (const details of parent.querySelectorAll('details[data-key]')) {
    if (open.includes(details.dataset.key)) details.open = true;
  }
  if (key) focusKey(parent, key);
}

function focusKey(parent, key) {
  const found = parent.querySelector(`[data-key="${CSS.escape(key)}"]`);
  found?.focus({ preventScroll: true });
  return Boolean(found);
}
