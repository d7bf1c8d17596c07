// URIs of one backend inside results, items and notifications, made public. Objects are copied with one member changed,
// never rebuilt field by field, so that unknown members survive; what holds no URI is returned as it is.

import { asArray, asObject, asString, type JsonObject } from '../call/json.ts';
import type { UriNaming } from './uris.ts';

export interface Rewriter {
  uri(uri: string): string;
  /** A tool, resource, template or prompt as the backend listed it, under its public name. */
  item(item: JsonObject, name: string | undefined): JsonObject;
  /** The result of tools/call, prompts/get, resources/read. */
  result(result: JsonObject): JsonObject;
}

export function rewriterFor(uris: UriNaming, backend: string): Rewriter {
  const uri = (text: string): string => uris.toPublic(backend, text);
  return {
    uri,
    item: (item, name) => {
      let changed: JsonObject = name === undefined || name === item.name ? item : { ...item, name };
      changed = member(changed, 'uri', uri);
      changed = member(changed, 'uriTemplate', uri);
      return withMetaUris(changed, uri);
    },
    result: (result) => {
      let changed = withMetaUris(result, uri);
      changed = list(changed, 'content', (block) => contentBlock(block, uri));
      changed = list(changed, 'contents', (content) => member(content, 'uri', uri));
      // A task that has ended brings the result of its call.
      const inner = asObject(changed.result);
      if (inner) changed = replace(changed, 'result', rewriterFor(uris, backend).result(inner));
      return list(changed, 'messages', (message) => {
        const content = asObject(message.content);
        return content ? replace(message, 'content', contentBlock(content, uri)) : message;
      });
    },
  };
}

type Uri = (text: string) => string;

function contentBlock(block: JsonObject, uri: Uri): JsonObject {
  if (block.type === 'resource_link') return member(block, 'uri', uri);
  const resource = block.type === 'resource' ? asObject(block.resource) : undefined;
  return resource ? replace(block, 'resource', member(resource, 'uri', uri)) : block;
}

/** MCP Apps name the page of a tool in `_meta.ui.resourceUri`, formerly `_meta["ui/resourceUri"]`. */
function withMetaUris(item: JsonObject, uri: Uri): JsonObject {
  const meta = asObject(item._meta);
  if (!meta) return item;
  let changed = member(meta, 'ui/resourceUri', uri);
  const ui = asObject(meta.ui);
  if (ui) changed = replace(changed, 'ui', member(ui, 'resourceUri', uri));
  return replace(item, '_meta', changed);
}

function member(object: JsonObject, key: string, uri: Uri): JsonObject {
  const text = asString(object[key]);
  return text === undefined ? object : replace(object, key, uri(text));
}

function list(object: JsonObject, key: string, change: (item: JsonObject) => JsonObject): JsonObject {
  const items = asArray(object[key]);
  if (!items) return object;
  const changed = items.map((item) => {
    const inner = asObject(item);
    return inner ? change(inner) : item;
  });
  return changed.some((item, at) => item !== items[at]) ? { ...object, [key]: changed } : object;
}

function replace(object: JsonObject, key: string, value: unknown): JsonObject {
  return object[key] === value ? object : { ...object, [key]: value };
}
