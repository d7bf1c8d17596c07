// A path in one of the rule's folders, judged by its text alone: no file is looked at, so links are the server's business.
// What a server could read in two ways (dot segments, percent signs, backslashes, other Unicode forms, a home folder) is
// refused. A folder written like `C:\data` makes it a Windows path, with that system's rules.

import type { Located } from '@mcp-overlay/config';
import { type Matcher, type Misfit, ofText } from './matcher.ts';

interface Folder {
  readonly windows: boolean;
  readonly absolute: boolean;
  readonly segments: readonly string[];
}

const WINDOWS = /^[A-Za-z]:[\\/]/;
/** Devices on Windows, in any folder and with any ending. */
const DEVICE = /^(?:con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(?:\..*)?$/i;

/** undefined: it is a folder that paths can be compared with. */
export function folderProblem(folder: string): string | undefined {
  if (folder.startsWith('~')) return 'expected a full path: whose home folder it is, the server decides';
  const read = readPath(folder, WINDOWS.test(folder));
  return typeof read === 'string' ? `expected a folder: ${read}` : undefined;
}

export function pathMatcher(under: readonly Located<string>[]): Matcher {
  const folders = under.map(({ value }) => folderOf(value));
  const expected = 'a path in one of the folders';
  return ofText(expected, (text): Misfit | undefined => {
    for (const folder of folders) {
      const read = readPath(text, folder.windows);
      if (typeof read === 'string') return { expected: `${expected}: ${read}`, broken: true };
      if (contains(folder, read)) return undefined;
    }
    return { expected };
  });
}

function folderOf(text: string): Folder {
  const windows = WINDOWS.test(text);
  const read = readPath(text, windows);
  if (typeof read === 'string') throw new TypeError(read);
  return { windows, ...read };
}

function contains(folder: Folder, path: Omit<Folder, 'windows'>): boolean {
  if (folder.absolute !== path.absolute) return false;
  return folder.segments.every((segment, at) => {
    const other = path.segments[at];
    // Windows ignores case, by a table of its own; what both fold alike is the same there.
    return folder.windows ? other?.toUpperCase() === segment.toUpperCase() : other === segment;
  });
}

/** A text: why it cannot be read in one way only. */
function readPath(text: string, windows: boolean): Omit<Folder, 'windows'> | string {
  if (text === '') return 'it is empty';
  if (/[\p{Cc}\p{Cs}]/u.test(text)) return 'it has control characters';
  if (text.normalize('NFC') !== text) return 'it is not in Unicode form NFC';
  if (/%(?:25)*(?:2e|2f|5c|00)/i.test(text)) return 'it has dots or slashes as percent signs';
  if (text.startsWith('~')) return 'it begins at a home folder';
  if (/^[a-z][a-z0-9+.-]+:\/?\/?/i.test(text) && !WINDOWS.test(text)) return 'it is a URI or a stream';
  return windows ? readWindows(text) : readPosix(text);
}

function readPosix(text: string): Omit<Folder, 'windows'> | string {
  if (text.includes('\\')) return 'it has backslashes';
  // Two slashes at the beginning may mean another machine (POSIX leaves it open).
  if (text.startsWith('//')) return 'it begins with two slashes';
  return segmentsOf(text.split('/'), text.startsWith('/'));
}

function readWindows(text: string): Omit<Folder, 'windows'> | string {
  if (!WINDOWS.test(text)) return 'it is no path of a drive';
  const read = segmentsOf(text.split(/[\\/]/), true);
  if (typeof read === 'string') return read;
  const [drive = '', ...rest] = read.segments;
  for (const segment of rest) {
    if (/[<>:"|?*]/.test(segment)) return 'it has characters that Windows gives a meaning';
    if (/[. ]$/.test(segment)) return 'a name in it ends in a dot or blank, which Windows drops';
    if (DEVICE.test(segment)) return 'it names a device';
    if (/~[0-9]/.test(segment)) return 'it may be a short name of another';
  }
  return { absolute: true, segments: [drive, ...rest] };
}

function segmentsOf(parts: readonly string[], absolute: boolean): Omit<Folder, 'windows'> | string {
  // Servers that drop blanks around an argument see `..` where it ends in `.. `.
  if (parts.some((part) => part.trim() === '..')) return 'it goes up a folder';
  return { absolute, segments: parts.filter((part) => part !== '' && part !== '.') };
}
