// Every text in what a server sends, with the surface it stands on; protocol words, cursors and bytes are none. Objects are
// copied only where a text was changed, so what is not changed is passed on as it was parsed.

import type { JsonObject } from '../call/json.ts';
import type { Surface } from './pattern.ts';

/** Called in one fixed order; what it returns takes the place of the text. */
export type TextChange = (text: string, surface: Surface) => string;

export type MediaLook = (media: { readonly mimeType: unknown; readonly base64: string }) => void;

/** Words of the protocol, and what only its sender reads: changing them would break the session. */
const NO_TEXT = new Set([
  'type',
  'role',
  'mimeType',
  'nextCursor',
  'cursor',
  'taskId',
  'requestState',
  'resultType',
  'protocolVersion',
  'jsonrpc',
  'id',
  'method',
  'level',
  'status',
  'createdAt',
  'lastUpdatedAt',
  'cacheScope',
  'format',
  'theme',
]);

const MEMBERS: Readonly<Record<string, Surface>> = {
  structuredContent: 'structured',
  _meta: 'structured',
  contents: 'resource',
  resource: 'resource',
  instructions: 'instructions',
  serverInfo: 'name',
  inputRequests: 'elicitation',
};

/** Deeper values are not carried by the relay either (its jsonDepth). */
const MAX_DEPTH = 64;

export function mapTexts(value: unknown, surface: Surface, change: TextChange, media?: MediaLook): unknown {
  return walk(value, surface, change, media, 0);
}

function walk(
  value: unknown,
  surface: Surface,
  change: TextChange,
  media: MediaLook | undefined,
  depth: number,
): unknown {
  if (typeof value === 'string') return change(value, surface);
  if (typeof value !== 'object' || value === null || depth > MAX_DEPTH) return value;
  if (Array.isArray(value)) {
    let changed: unknown[] | undefined;
    value.forEach((item, at) => {
      const seen = walk(item, surface, change, media, depth + 1);
      if (seen === item) return;
      changed ??= [...value];
      changed[at] = seen;
    });
    return changed ?? value;
  }
  // A number as its text (relay/json-exact).
  if (Object.getPrototypeOf(value) !== Object.prototype && Object.getPrototypeOf(value) !== null) return value;
  return walkObject(value as JsonObject, surface, change, media, depth);
}

function walkObject(
  object: JsonObject,
  surface: Surface,
  change: TextChange,
  media: MediaLook | undefined,
  depth: number,
): JsonObject {
  const isData = surface === 'structured' || surface === 'arguments';
  const here = isData ? surface : surfaceOfObject(object, surface);
  let entries: [string, unknown][] | undefined;
  const all = Object.entries(object);
  all.forEach(([key, value], at) => {
    if (!isData && typeof value === 'string') {
      if (NO_TEXT.has(key)) return;
      if (key === 'blob' || (key === 'data' && (object.type === 'image' || object.type === 'audio'))) {
        media?.({ mimeType: object.mimeType, base64: value });
        return;
      }
    }
    // What a server may have written into a key, a model reads too.
    const shown = isData ? change(key, here) : key;
    const below = isData ? here : (MEMBERS[key] ?? (key === 'messages' && here !== 'sampling' ? 'prompt' : here));
    const seen = walk(value, below, change, media, depth + 1);
    if (seen === value && shown === key) return;
    entries ??= [...all];
    entries[at] = [shown, seen];
  });
  return entries ? Object.fromEntries(unique(entries)) : object;
}

function surfaceOfObject(object: JsonObject, surface: Surface): Surface {
  if (object.type === 'resource_link') return 'link';
  if (object.type === 'resource') return 'resource';
  if (object.method === 'sampling/createMessage') return 'sampling';
  return surface;
}

/** Two keys that became one would lose a value. */
function unique(entries: readonly [string, unknown][]): [string, unknown][] {
  const seen = new Set<string>();
  return entries.map(([key, value]) => {
    let name = key;
    for (let copy = 2; seen.has(name); copy += 1) name = `${key} ${copy}`;
    seen.add(name);
    return [name, value];
  });
}
