// Checks that a regular expression cannot make: numbers that carry check digits of their own. Each takes what was matched,
// blanks and dashes included.

export type ValueCheck = (value: string) => boolean;

const CHECKS: Readonly<Record<string, ValueCheck>> = {
  luhn,
  iban,
  nino,
  ssn,
  steuer_id: steuerId,
  insee,
  codice_fiscale: codiceFiscale,
  dni,
  secret,
};

export function checkOf(name: string): ValueCheck | undefined {
  return Object.hasOwn(CHECKS, name) ? CHECKS[name] : undefined;
}

/** ISO/IEC 7812-1: payment cards. */
function luhn(value: string): boolean {
  const digits = value.replace(/\D/g, '');
  if (digits.length < 13 || digits.length > 19 || /^(\d)\1*$/.test(digits)) return false;
  let sum = 0;
  for (let at = 0; at < digits.length; at += 1) {
    const digit = Number(digits[digits.length - 1 - at]);
    const doubled = at % 2 === 1 ? digit * 2 : digit;
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}

/** ISO 13616: the country's length, and the remainder by 97. */
function iban(value: string): boolean {
  const text = value.replace(/[\s-]/g, '').toUpperCase();
  const length = IBAN_LENGTHS[text.slice(0, 2)];
  if (length === undefined || text.length !== length) return false;
  let rest = 0;
  for (const char of text.slice(4) + text.slice(0, 4)) {
    const part = /\d/.test(char) ? char : String(char.charCodeAt(0) - 55);
    for (const digit of part) rest = (rest * 10 + Number(digit)) % 97;
  }
  return rest === 1;
}

/** SWIFT IBAN registry. */
const IBAN_LENGTHS: Readonly<Record<string, number>> = {
  AD: 24,
  AE: 23,
  AL: 28,
  AT: 20,
  AZ: 28,
  BA: 20,
  BE: 16,
  BG: 22,
  BH: 22,
  BR: 29,
  CH: 21,
  CR: 22,
  CY: 28,
  CZ: 24,
  DE: 22,
  DK: 18,
  DO: 28,
  EE: 20,
  EG: 29,
  ES: 24,
  FI: 18,
  FO: 18,
  FR: 27,
  GB: 22,
  GE: 22,
  GI: 23,
  GL: 18,
  GR: 27,
  GT: 28,
  HR: 21,
  HU: 28,
  IE: 22,
  IL: 23,
  IQ: 23,
  IS: 26,
  IT: 27,
  JO: 30,
  KW: 30,
  KZ: 20,
  LB: 28,
  LC: 32,
  LI: 21,
  LT: 20,
  LU: 20,
  LV: 21,
  MC: 27,
  MD: 24,
  ME: 22,
  MK: 19,
  MR: 27,
  MT: 31,
  MU: 30,
  NL: 18,
  NO: 15,
  PK: 24,
  PL: 28,
  PS: 29,
  PT: 25,
  QA: 29,
  RO: 24,
  RS: 22,
  SA: 24,
  SC: 31,
  SE: 24,
  SI: 19,
  SK: 24,
  SM: 27,
  SV: 28,
  TN: 24,
  TR: 26,
  UA: 29,
  VA: 22,
  VG: 24,
  XK: 20,
};

/** HMRC NIM39110: prefixes that are never given. */
function nino(value: string): boolean {
  const text = value.replace(/\s/g, '').toUpperCase();
  return !/^(?:BG|GB|NK|KN|TN|NT|ZZ)/.test(text) && !/^(?:[DFIQUV]|.[DFIQUVO])/.test(text);
}

/** SSA: areas, groups and serials that are never given. */
function ssn(value: string): boolean {
  return !/^(?:000|666|9\d\d)|^\d{3}\D?00|0000$/.test(value);
}

/** ISO 7064 MOD 11,10, as the German tax id uses it. */
function steuerId(value: string): boolean {
  const digits = value.replace(/\D/g, '');
  if (digits.length !== 11 || digits.startsWith('0')) return false;
  let product = 10;
  for (const digit of digits.slice(0, 10)) {
    const sum = (Number(digit) + product) % 10;
    product = ((sum === 0 ? 10 : sum) * 2) % 11;
  }
  return (11 - product) % 10 === Number(digits[10]);
}

/** French social security number: 97 minus the remainder by 97; Corsica's letters count as 19 and 18. */
function insee(value: string): boolean {
  const text = value.replace(/[\s.-]/g, '').toUpperCase();
  const body = text.slice(0, 13).replace('2A', '19').replace('2B', '18');
  if (!/^\d{13}$/.test(body) || text.length !== 15) return false;
  return 97 - Number(BigInt(body) % 97n) === Number(text.slice(13));
}

/** Italian tax code: the last letter from odd and even places (D.M. 12/03/1974). */
function codiceFiscale(value: string): boolean {
  const text = value.toUpperCase();
  if (text.length !== 16) return false;
  let sum = 0;
  for (let at = 0; at < 15; at += 1) {
    const code = text.charCodeAt(at);
    const index = code < 65 ? code - 48 : code - 65;
    sum += at % 2 === 0 ? (ODD[index] ?? 0) : index;
  }
  return String.fromCharCode(65 + (sum % 26)) === text[15];
}

const ODD = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];

/** What stands where a secret would, and is none: a variable, a template, one character again and again, a word for it. */
const NO_SECRET =
  /^\$|^%|^\{|^<|^(.)\1*$|\$\{|\{\{|^(?:true|false|null|none|undefined|string|password|secret|token|changeme|example)$|example|placeholder|your[_-]|xxxx|abcdefghijklmnopqrstuvwxyz|1234567890(?![A-Za-z])/i;

function secret(value: string): boolean {
  return !NO_SECRET.test(value);
}

/** Spanish DNI and NIE: a letter by the remainder by 23. */
function dni(value: string): boolean {
  const text = value.replace(/[\s-]/g, '').toUpperCase();
  const digits = text.slice(0, -1).replace(/^[XYZ]/, (letter) => String('XYZ'.indexOf(letter)));
  return /^\d{7,8}$/.test(digits) && 'TRWAGMYFPDXBNJZSQVHLCKE'[Number(digits) % 23] === text.at(-1);
}
