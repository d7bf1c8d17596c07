// The version that a test network claims: it decides what older and newer routers do differently.

export interface Version {
  readonly text: string;
  readonly major: number;
  atLeast(major: number, minor: number, patch: number): boolean;
}

export function versionOf(text: string): Version {
  const found = /^v(\d+)\.(\d+)\.(\d+)$/.exec(text);
  if (!found) throw new Error(`a version looks like v1.6.0, not ${text}`);
  const [major = 0, minor = 0, patch = 0] = found.slice(1).map(Number);
  const rank = (a: number, b: number, c: number): number => a * 1e6 + b * 1e3 + c;
  return { text, major, atLeast: (...wanted) => rank(major, minor, patch) >= rank(...wanted) };
}
