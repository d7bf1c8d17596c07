// What a zrok controller's refusals mean for a person: who refused, and what to do about it. Texts of the controller are
// shown shortened; nothing of ours that is secret is in any of them.

import { OverlayError } from '../errors.ts';
import { SHOWN_CHARS } from './limits.ts';
import type { RestAnswer, RestRequest } from './rest.ts';

export class Refusals {
  readonly #who: string;

  constructor(apiEndpoint: string) {
    this.#who = `the zrok controller ${apiEndpoint}`;
  }

  version({ status, body }: RestAnswer): OverlayError {
    const why = typeof body === 'string' ? shown(body) : `it answered ${status}`;
    return new OverlayError('peer_incompatible', `${this.#who} does not take this client: ${why}`, {
      hint: 'this program speaks to zrok 2.0; update the older of the two',
    });
  }

  account(): OverlayError {
    return new OverlayError('account_refused', `${this.#who} does not know this account token`, {
      hint: 'the token stands on the account page of that zrok instance; mcp-tools disable, then mcp-tools enable TOKEN',
    });
  }

  environmentLimit(): OverlayError {
    return new OverlayError('environment_refused', `${this.#who} makes no more environments for this account`, {
      hint: 'disable one that is no longer used, there or on the web console of the instance',
    });
  }

  environmentGone(envZId: string, or = ''): OverlayError {
    const why = `environment ${envZId} is not in this account (any more)${or === '' ? '' : ` ${or}`}`;
    return new OverlayError('environment_refused', `${this.#who} refused: ${why}`, {
      hint: 'mcp-tools disable, then mcp-tools enable TOKEN makes a new one',
    });
  }

  conflict(token: string, text: string): OverlayError {
    if (/in use/.test(text)) {
      return new OverlayError('share_exists', `share ${token} exists`, {
        hint: 'choose another name: it may be one of another account of this zrok instance',
        cause: text,
      });
    }
    return new OverlayError('bad_token', `${this.#who} does not take the name ${token}: ${shown(text)}`, {
      hint: 'it refuses some words; choose another name',
    });
  }

  unknownGrant(token: string, emails: readonly string[]): OverlayError {
    const [one, ...others] = emails;
    const who = others.length === 0 ? `${one} has no account` : `one of ${emails.join(', ')} has no account`;
    return new OverlayError('grant_unknown', `share ${token}: ${who} there, says ${this.#who}`, {
      hint: 'access is granted to e-mail addresses of accounts of the same zrok instance',
    });
  }

  unknownShare(token: string): OverlayError {
    return new OverlayError('share_unknown', `share ${token} does not exist`, {
      hint: `${this.#who} does not know it; a token is what the host of a share prints`,
    });
  }

  notGranted(token: string): OverlayError {
    return new OverlayError(
      'not_permitted',
      `share ${token} is closed, and this account was not granted access to it`,
      {
        hint: 'its owner lets an account in with --grant MAIL, or share.grants of the gateway',
      },
    );
  }

  nonsense(call: string): OverlayError {
    return new OverlayError('controller_failed', `${this.#who} answered ${call} with something else than expected`, {
      hint: 'is this a zrok 2.0 controller? see api_endpoint in ~/.zrok2/environment.json, or ZROK2_API_ENDPOINT',
    });
  }

  unexpected({ method, path }: RestRequest, { status, body }: RestAnswer): OverlayError {
    const call = `${method} ${path.split('?', 1)[0]}`;
    const text = shown(typeof body === 'string' ? body : messageOf(body));
    const why = `${call} was answered with ${status}${text === '' ? '' : `: ${text}`}`;
    return new OverlayError('controller_failed', `${this.#who} failed: ${why}`, {
      hint:
        status >= 500
          ? 'its log says more; the OpenZiti network behind it may be out of its reach'
          : 'is this a zrok 2.0 controller? see api_endpoint in ~/.zrok2/environment.json, or ZROK2_API_ENDPOINT',
    });
  }
}

function messageOf(body: unknown): string {
  const { message } = (typeof body === 'object' && body !== null ? body : {}) as { message?: unknown };
  return typeof message === 'string' ? message : '';
}

function shown(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > SHOWN_CHARS ? `${line.slice(0, SHOWN_CHARS)}…` : line;
}
