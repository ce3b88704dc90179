// Names of patients, and phone numbers and e-mail addresses as links.

// Blank, invisible, or a combining mark without a base character: its link would have no size.
const nothingToSee = /^[\p{White_Space}\p{Default_Ignorable_Code_Point}\p{Cc}\p{Cf}\p{M}\u2800\u{1D159}]*$/u;

export const isSeen = (text) => Boolean(text) && !nothingToSee.test(text);

/** A patient's name, or a placeholder if the name has no visible character. */
export const nameOf = ({ id, name }) => (isSeen(name) ? name : `(no name) · ${id}`);

/** The link that starts a call or a message; null if the text contains no number (RFC 3966, RFC 5724). */
export function phoneLink(scheme, text) {
  const { number, extension } = numberOf(text);
  if (!number) return null;
  return `${scheme}:${number}${extension && scheme === 'tel' ? `;ext=${extension}` : ''}`;
}

const extensionOf = /(?:;\s*ext\s*=|\bext(?:ension|n)?\b\.?:?|(?<=[\d\s)])x\.?|#)\s*(\d{1,9})\D*$/i;
const severalNumbers = /[,;|&\n]|\/|\b(?:or|and)\b/i;
/** This many digits are a complete number, and letters next to them are a remark. */
const fewestDigits = 6;

function numberOf(text) {
  const plain = asciiDigits(text.normalize('NFKC')).replace(/^\W*tel:/i, '');
  const [, extension] = plain.match(extensionOf) ?? [];
  const rest = firstOfSeveral(plain.replace(extensionOf, ''));
  // A service code is not a person's number.
  if (/[*#]/.test(rest)) return {};
  const number = withKeys(rest);
  return isOfOneNumber(number) ? { number, extension } : {};
}

// E.164 has 15 digits at most, plus an international prefix.
const isOfOneNumber = (number) => /^(?:\+|00|011)?\d{1,15}$/.test(number);

// Digits of other scripts are ten consecutive characters from their zero (Unicode, section 4.6).
const asciiDigits = (text) => text.replace(/\p{Nd}/gu, (digit) => {
  const code = digit.codePointAt(0);
  let value = 0;
  while (/\p{Nd}/u.test(String.fromCodePoint(code - value - 1))) value += 1;
  return String(value % 10);
});

// Digits after a slash may belong to the same number: 089/123456.
function firstOfSeveral(text) {
  const [first] = text.split(severalNumbers);
  return first.replace(/\D/g, '').length >= fewestDigits ? first : text;
}

// "Tel. 02 9374 4000 (home)" has a label and a remark. "1-800-FLOWERS" has letters, which a link must not contain (RFC
// 3966, section 5.1.2). A few digits with a remark are ambiguous.
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

/** The link that opens an e-mail; null if the text contains no address that reads as it is (RFC 6068). */
export function mailLink(text) {
  const [address] = text.match(/(?<![^\s<>,;:()"])[^\s<>,;:()"@]+@[^\s<>,;:()"@]*[^\s<>,;:()"@.](?=\.*(?:[\s<>,;:()"]|$))/) ?? [];
  return address && !/[\p{Cf}\p{Cc}\p{Default_Ignorable_Code_Point}]/u.test(address) ? `mailto:${encodeURIComponent(address).replaceAll('%2B', '+').replaceAll('%40', '@')}` : null;
}
