// Services of this identity: by name, and all of them in pages. A service that was found is believed for five minutes, the
// interval of the Go SDK; whoever meets a contradiction asks with `refresh`.

import type { Clock } from '../clock.ts';
import { ZitiError } from '../errors.ts';
import { isRecord, recordsOf, textOf, textsOf } from '../json.ts';
import { LIMITS } from '../limits.ts';
import { invalidAnswer } from './answers.ts';
import type { Api, ApiRequest, ApiResult } from './api.ts';
import { type Controllers, trouble } from './controllers.ts';
import { hostsOf, refused, serviceNotFound, troubled } from './refusals.ts';
import type { Permission, Service } from './types.ts';
import { abortable } from './waiting.ts';

export interface Services {
  find(name: string, options?: { refresh?: boolean; signal?: AbortSignal | undefined }): Promise<Service>;
  list(signal?: AbortSignal): Promise<Service[]>;
}

const PAGE = 500;
const BELIEVED_MS = 5 * 60_000;

export interface ServicesOptions {
  readonly api: Api;
  readonly controllers: Controllers;
  readonly clock: Clock;
  /** Ends what is under way for nobody in particular. */
  readonly stopping: AbortSignal;
}

export function createServices({ api, controllers, clock, stopping }: ServicesOptions): Services {
  /** Who needs the same answer at the same time shares the question. */
  const flights = new Map<string, Promise<Service>>();
  const found = new Map<string, { readonly service: Service; readonly at: number }>();

  async function ask(request: ApiRequest, doing: string, signal: AbortSignal | undefined): Promise<ApiResult> {
    const result = await api.call(request, signal);
    const { answer, controller } = result;
    if (answer.ok) return result;
    if (trouble(answer.refusal)) throw troubled(answer.refusal, doing, controllers.urls);
    throw refused(answer.refusal, doing, controller);
  }

  function remember(service: Service): void {
    found.delete(service.name);
    found.set(service.name, { service, at: clock.now() });
    for (const [oldest] of found) {
      if (found.size <= LIMITS.rememberedServices) break;
      found.delete(oldest);
    }
  }

  async function look(name: string): Promise<Service> {
    const path = `/services?limit=2&filter=${encodeURIComponent(`name=${quote(name)}`)}`;
    const { answer, controller } = await ask({ method: 'GET', path }, `looking for service "${name}"`, stopping);
    const service = answer.ok ? servicesOf(answer.data, controller).find((one) => one.name === name) : undefined;
    if (service === undefined) {
      found.delete(name);
      throw serviceNotFound(name, controllers.urls);
    }
    remember(service);
    return service;
  }

  return {
    async find(name, { refresh = false, signal } = {}) {
      const known = found.get(name);
      if (!refresh && known !== undefined && clock.now() - known.at < BELIEVED_MS) return known.service;
      // A refresh wants to know how things are now: it does not join a question that is older.
      const key = `${refresh} ${name}`;
      const flight = flights.get(key) ?? look(name).finally(() => flights.delete(key));
      flights.set(key, flight);
      flight.catch(() => {});
      return abortable(flight, signal);
    },
    async list(signal) {
      const all: Service[] = [];
      for (let offset = 0; ; ) {
        const path = `/services?limit=${PAGE}&offset=${offset}`;
        const { answer, controller } = await ask({ method: 'GET', path }, 'listing services', signal);
        if (!answer.ok) return all;
        const page = servicesOf(answer.data, controller);
        all.push(...page);
        if (all.length > LIMITS.services) throw tooMany(controller);
        const { totalCount } = isRecord(answer.meta.pagination) ? answer.meta.pagination : {};
        offset += page.length;
        if (page.length === 0 || offset >= (typeof totalCount === 'number' ? totalCount : 0)) return all;
      }
    },
  };
}

/** A string of the controller's filter language: JSON's escapes for the quote, the backslash and control characters. */
export function quote(name: string): string {
  return `"${name.replace(/["\\]/g, '\\$&')}"`;
}

function servicesOf(data: unknown, controller: string): Service[] {
  if (!Array.isArray(data)) throw invalidAnswer(new URL(controller).host, 'a list of services that is none');
  return data.filter(isRecord).flatMap((entry) => {
    const [id, name] = [textOf(entry, 'id'), textOf(entry, 'name')];
    if (id === undefined || name === undefined) return [];
    const permissions = textsOf(entry, 'permissions').filter(
      (one): one is Permission => one === 'Dial' || one === 'Bind',
    );
    const createdAt = new Date(textOf(entry, 'createdAt') ?? '');
    const service = {
      id,
      name,
      permissions,
      encryptionRequired: entry.encryptionRequired === true,
      posturePassing: isPassing(entry),
      ...(Number.isNaN(createdAt.getTime()) ? {} : { createdAt }),
    };
    return [service];
  });
}

/** One policy that passes is enough; no query, no check. */
function isPassing(entry: Record<string, unknown>): boolean {
  const queries = recordsOf(entry, 'postureQueries');
  return queries.length === 0 || queries.some((query) => query.isPassing !== false);
}

function tooMany(controller: string): ZitiError {
  const what = `${hostsOf([controller])} lists more than ${LIMITS.services} services`;
  return new ZitiError('controller_answer_too_large', what, { hint: 'Give the identity fewer services.' });
}
