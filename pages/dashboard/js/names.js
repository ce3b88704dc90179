// What somebody is called, and what an address book says of him, as the page can use it.

// Blank, invisible, or a mark with nothing to stand on: a link of it would have no size.
const nothingToSee = /^[\p{White_Space}\p{Default_Ignorable_Code_Point}\p{Cc}\p{Cf}\p{M}\u2800\u{1D159}]*$/u;

export const isSeen = (text) => Boolean(text) && !nothingToSee.test(text);

/** A patient's name, or a stand-in where it holds nothing that can be seen. */
export const nameOf = ({ id, name }) => (isSeen(name) ? name : `(no name) · ${id}`);

/** The address that opens a call or a message, or null where no number can be made out (RFC 3966, RFC 5724). */
export function phoneLink(scheme, text) {
  const { number, extension } = numberOf(text);
  if (!number) return null;
  return `${scheme}:${number}${extension && scheme === 'tel' ? `;ext=${extension}` : ''}`;
}

const extensionOf = /(?:;\s*ext\s*=|\bext(?:ension|n)?\b\.?:?|(?<=[\d\s)])x\.?|#)\s*(\d{1,9})\D*$/i;
const severalNumbers = /[,;|&\n]|\/|\b(?:or|and)\b/i;
/** So many digits are a number by themselves, and letters beside them a remark. */
const fewestDigits = 6;

function numberOf(text) {
  const plain = asciiDigits(text.normalize('NFKC')).replace(/^\W*tel:/i, '');
  const [, extension] = plain.match(extensionOf) ?? [];
  const rest = firstOfSeveral(plain.replace(extensionOf, ''));
  // A service code is no number of a person's.
  if (/[*#]/.test(rest)) return {};
  const number = withKeys(rest);
  return isOfOneNumber(number) ? { number, extension } : {};
}

// E.164 has 15 digits at most; a prefix that leads abroad stands before them.
const isOfOneNumber = (number) => /^(?:\+|00|011)?\d{1,15}$/.test(number);

// The other digits count up from a zero, ten in a row (Unicode, section 4.6).
const asciiDigits = (text) => text.replace(/\p{Nd}/gu, (digit) => {
  const code = digit.codePointAt(0);
  let value = 0;
  while (/\p{Nd}/u.test(String.fromCodePoint(code - value - 1))) value += 1;
  return String(value % 10);
});

// What stands after a stroke may also be the rest of the same number: 089/123456.
function firstOfSeveral(text) {
  const [first] = text.split(severalNumbers);
  return first.replace(/\D/g, '').length >= fewestDigits ? first : text;
}

// "Tel. 02 9374 4000 (home)" has a label and a remark; "1-800-FLOWERS" has the keys' letters, which no link may hold
// (RFC 3966, section 5.1.2). Of a handful of digits and a remark nobody knows what to dial.
function withKeys(text) {
  const [, plus, after] = text.match(/^[^\d+]*(\+?)\D*(\d.*)$/s) ?? [];
  if (!after) return '';
  const national = plus ? after.replace(/\(\s*0\s*\)/, '') : after;
  const [digits] = national.match(/^\P{L}*/u).map((part) => part.replace(/\D/g, ''));
  if (digits.length >= fewestDigits || !/\p{L}/u.test(national)) return plus + digits;
  if (/[^\P{L}A-Z]/u.test(national)) return '';
  return plus + national.replace(/[A-Z]/g, (letter) => keyOf[letter]).replace(/\D/g, '');
}

const keyOf = Object.fromEntries(['ABC', 'DEF', 'GHI', 'JKL', 'MNO', 'PQRS', 'TUV', 'WXYZ'].flatMap((letters, index) =>
  [...letters].map((letter) => [letter, String(index + 2)])));

/** The address that opens an e-mail, or null where none can be made out that reads as it is (RFC 6068). */
export function mailLink(text) {
  const [address] = text.match(/(?<![^\s<>,;:()"])[^\s<>,;:()"@]+@[^\s<>,;:()"@]*[^\s<>,;:()"@.](?=\.*(?:[\s<>,;:()"]|$))/) ?? [];
  return address && !/[\p{Cf}\p{Cc}\p{Default_Ignorable_Code_Point}]/u.test(address) ? `mailto:${encodeURIComponent(address).replaceAll('%2B', '+').replaceAll('%40', '@')}` : null;
}
