// What of our environment a child may see: a short list of names that hold no secrets, what its operator declared,
// and nothing else. Invariant: a variable that nobody named never reaches a child.

/** The list of sudo's default and of the official MCP SDKs, so that a server meets the environment it was tested in.
 *  LANG, LC_*, TZ and TMPDIR stay out on purpose: see docs/decisions/030-children.md. */
const SAFE = ['HOME', 'LOGNAME', 'PATH', 'SHELL', 'TERM', 'USER'];

/** Without these a Windows program does not start or does not find its files (the official SDKs pass the same). */
const SAFE_ON_WINDOWS = [
  'APPDATA',
  'HOMEDRIVE',
  'HOMEPATH',
  'LOCALAPPDATA',
  'PATH',
  'PATHEXT',
  'PROCESSOR_ARCHITECTURE',
  'PROGRAMFILES',
  'SYSTEMDRIVE',
  'SYSTEMROOT',
  'TEMP',
  'USERNAME',
  'USERPROFILE',
];

/** The whole environment of a child: safe names, then the names to pass on, then the declared values; later ones win.
 *  A name to pass on that is not set is left out. */
export function safeEnvironment(
  env: NodeJS.ProcessEnv,
  declared: Readonly<Record<string, string>>,
  pass: readonly string[] = [],
  platform: NodeJS.Platform = process.platform,
): Record<string, string> {
  const child: Record<string, string> = {};
  for (const name of [...(platform === 'win32' ? SAFE_ON_WINDOWS : SAFE), ...pass]) {
    const value = env[name];
    // A value that begins with `()` is an exported shell function: code, not data (CVE-2014-6271).
    if (value !== undefined && !value.startsWith('()')) child[name] = value;
  }
  return { ...child, ...declared };
}
