// The address of a controller as files, tokens and lists write it, in the one form we compare and use.

import { LIMITS } from './limits.ts';

const CLIENT_API = '/edge/client/v1';

/** `https://host:port/edge/client/v1`; undefined when it is no https address. A missing scheme or path is added, as Go
 * does (openziti/sdk-golang edge-apis/urls.go). */
export function controllerUrl(text: string): string | undefined {
  if (text.length > LIMITS.urlChars) return undefined;
  const trimmed = text.trim();
  let url: URL;
  try {
    url = new URL(trimmed.includes('://') ? trimmed : `https://${trimmed}`);
  } catch {
    return undefined;
  }
  if (url.protocol !== 'https:' || url.hostname === '' || url.username !== '' || url.password !== '') return undefined;
  const path = url.pathname.replace(/\/+$/, '');
  return `${url.origin}${path === '' ? CLIENT_API : path}`;
}

/** The same controller's root: OIDC and the token's issuer stand there. */
export function controllerOrigin(url: string): string {
  return new URL(url).origin;
}
