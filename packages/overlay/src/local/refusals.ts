// The driver's ways to say no to a share's name, each with what to do about it.

import { OverlayError } from '../errors.ts';

/** For who wants to reach it or remove it. */
export function unknown(token: string): OverlayError {
  return notThere(token, 'mcp-tools list shows the shares there are; a token is what the host of a share prints');
}

/** For who wants to host it. */
export function neverMade(token: string): OverlayError {
  return notThere(token, `make it with: mcp-tools create ${token}`);
}

function notThere(token: string, remedy: string): OverlayError {
  const port = /^[0-9]{1,5}$/.test(token);
  const hint = port ? 'a share is named by the token that its host prints, not by a port' : remedy;
  return new OverlayError('share_unknown', `share ${token} does not exist`, { hint });
}

export function notHosted(token: string): OverlayError {
  return new OverlayError('share_not_hosted', `nobody hosts share ${token} now`, {
    hint: 'start the gateway or bridge that hosts it',
  });
}

export function taken(token: string): OverlayError {
  return new OverlayError('share_exists', `share ${token} exists`, {
    hint: 'choose another name; mcp-tools list shows those that exist',
  });
}

export function inUse(token: string, cause: unknown): OverlayError {
  return new OverlayError('share_in_use', `share ${token} is hosted by a running program`, {
    hint: 'end that program first; mcp-tools list shows what is hosted',
    cause,
  });
}

/** For who wants to hand it over. */
export function goesWithHost(token: string): OverlayError {
  return new OverlayError('not_permitted', `share ${token} ends with the program that hosts it, and with no other`, {
    hint: 'a share that stays is made by: mcp-tools create NAME; name it in share.token',
  });
}
