// Recognises text that looks like a secret, so that a person can be warned of it and no list of commands shows it. A guess
// with few false alarms, not a scanner: refusing inline secrets is later work.

const KINDS: readonly (readonly [RegExp, string])[] = [
  [/\b(?:gh[pousr]_|github_pat_)[A-Za-z0-9_]{3,}/, 'a GitHub token'],
  [/\bglpat-[A-Za-z0-9_-]{3,}/, 'a GitLab token'],
  [/\bxox[abeoprs]-[A-Za-z0-9-]{3,}/, 'a Slack token'],
  [/\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/, 'an AWS key id'],
  [/\bAIza[A-Za-z0-9_-]{30,}/, 'a Google key'],
  [/\b(?:npm_|hf_|dop_v1_|sntrys_)[A-Za-z0-9]{16,}/, 'an access token'],
  [/\b(?:sk|rk|pk)[-_](?=[A-Za-z_-]{0,64}[0-9])[A-Za-z0-9_-]{4,}/, 'an API key'],
  [/\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\./, 'a JSON web token'],
  [/-----BEGIN [A-Z ]{0,32}PRIVATE KEY-----/, 'a private key'],
  [/\b(?:Bearer|Basic) +[A-Za-z0-9._~+/=-]{6,}/i, 'a credential'],
  [/:\/\/[^/?#@\s:]{0,256}:[^/?#@\s]{1,256}@/, 'a password in a URL'],
];
const SECRET_NAME = /(?:TOKEN|SECRET|PASSWORD|PASSWD|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|CREDENTIAL|AUTHORIZATION)S?$/i;
/** Values that such a name has without being one: too short, a scheme before a variable, a path. */
const NO_SECRET = [/^.{0,5}$/, /^(?:Bearer|Basic|Token) *$/i, /^(?:\/|\.\/|~\/|file:)/];
/** One run of the characters that encoders use, with no slash at its ends: paths and package names are not it. */
const ENCODED = /^[A-Za-z0-9_+=-]{24,512}$/;
const MIN_ENTROPY_BITS = 3.7;
/** Only the beginning of a longer text is looked at. */
const MAX_LOOKED_AT = 16 * 1024;

/** What it looks like, or undefined. `name`: of the variable or header it is the value of. */
export function looksSecret(text: string, name = ''): string | undefined {
  const value = text.slice(0, MAX_LOOKED_AT);
  for (const [pattern, kind] of KINDS) if (pattern.test(value)) return kind;
  if (SECRET_NAME.test(name.replaceAll('-', '_')) && NO_SECRET.every((harmless) => !harmless.test(value))) {
    return 'what its name calls a secret';
  }
  const encoded = ENCODED.test(value) && /[0-9]/.test(value) && /[A-Za-z]/.test(value);
  return encoded && entropyBits(value) >= MIN_ENTROPY_BITS ? 'a random key' : undefined;
}

/** Shannon bits per character. */
function entropyBits(text: string): number {
  const counts = new Map<string, number>();
  for (const char of text) counts.set(char, (counts.get(char) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= (count / text.length) * Math.log2(count / text.length);
  return bits;
}
