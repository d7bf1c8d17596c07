// The controllers of a network as one of them lists them: `GET /controllers`, and with a new identity from 2.1 on.

import { controllerUrl } from '../controller-url.ts';
import { isRecord, recordsOf, textOf } from '../json.ts';
import { LIMITS } from '../limits.ts';

/** Each controller with its base URLs, from `apiAddresses["edge-client"][].url`; those without any are left out. */
export function listedControllers(data: unknown): string[][] {
  const listed = Array.isArray(data) ? data.filter(isRecord).slice(0, LIMITS.controllers) : [];
  return listed
    .map((controller) => {
      const addresses = isRecord(controller.apiAddresses) ? recordsOf(controller.apiAddresses, 'edge-client') : [];
      return addresses.slice(0, LIMITS.controllers).flatMap((one) => controllerUrl(textOf(one, 'url') ?? '') ?? []);
    })
    .filter((urls) => urls.length > 0);
}
