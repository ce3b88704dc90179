// Compiles the subset of JSX in the guide's snippets to calls of `element(name, properties, children)`.

const isName = /[A-Za-z]/;

/** Replaces each element by a call and copies the rest. */
export function compile(source) {
  let output = '';
  for (let at = 0; at < source.length;) {
    const skipped = plain(source, at);
    if (skipped > at) {
      output += source.slice(at, skipped);
      at = skipped;
    } else if (source[at] === '<' && isName.test(source[at + 1] ?? '')) {
      const [code, end] = element(source, at);
      output += code;
      at = end;
    } else {
      output += source[at];
      at += 1;
    }
  }
  return output;
}

// Returns the end of a comment or a string that starts at `at`, otherwise `at`.
function plain(source, at) {
  if (source.startsWith('//', at)) return lineEnd(source, at);
  if (!'\'"`'.includes(source[at])) return at;
  const end = source.indexOf(source[at], at + 1);
  return end < 0 ? source.length : end + 1;
}

function lineEnd(source, at) {
  const end = source.indexOf('\n', at);
  return end < 0 ? source.length : end;
}

function element(source, start) {
  const name = /^[\w.]+/.exec(source.slice(start + 1))[0];
  let at = start + 1 + name.length;
  const properties = [];
  for (;;) {
    at = space(source, at);
    if (source.startsWith('/>', at)) return [call(name, properties, []), at + 2];
    if (source[at] === '>') break;
    const [property, end] = attribute(source, at);
    properties.push(property);
    at = end;
  }
  const [children, end] = content(source, at + 1, name);
  return [call(name, properties, children), end];
}

const call = (name, properties, children) =>
  `element(${JSON.stringify(name)}, {${properties.join(', ')}}, [${children.join(', ')}])`;

function space(source, at) {
  while (/\s/.test(source[at])) at += 1;
  return at;
}

function attribute(source, at) {
  const name = /^[\w-]+/.exec(source.slice(at))[0];
  at += name.length + 1;
  if (source[at] === '"') {
    const end = source.indexOf('"', at + 1) + 1;
    return [`${name}: ${source.slice(at, end)}`, end];
  }
  const [code, end] = braces(source, at);
  return [`${name}: (${code})`, end];
}

function content(source, at, name) {
  const children = [];
  for (;;) {
    if (at >= source.length) throw new SyntaxError(`<${name}> has no end`);
    if (source.startsWith(`</${name}>`, at)) return [children, at + name.length + 3];
    if (source[at] === '{' || source[at] === '<') {
      const [code, end] = source[at] === '{' ? braces(source, at) : element(source, at);
      children.push(code);
      at = end;
    } else {
      const end = at + source.slice(at).search(/[{<]/);
      if (source.slice(at, end).trim()) children.push(JSON.stringify(source.slice(at, end).trim()));
      at = end;
    }
  }
}

function braces(source, start) {
  let depth = 0;
  for (let at = start; at < source.length;) {
    const skipped = plain(source, at);
    if (skipped > at) at = skipped;
    else {
      depth += source[at] === '{' ? 1 : source[at] === '}' ? -1 : 0;
      at += 1;
      if (depth === 0) return [compile(source.slice(start + 1, at - 1)), at];
    }
  }
  throw new SyntaxError('a brace has no end');
}
