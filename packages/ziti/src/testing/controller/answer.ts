// Answers of a controller: the envelope, and the errors word for word (ziti controller/apierror/messages.go).

import { newId } from '../state/network-state.ts';

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** A string goes out as it is, all else as JSON. */
  readonly body: unknown;
}

export class ApiError extends Error {
  readonly answer: Answer;

  constructor(status: number, code: string | undefined, message: string, cause?: unknown) {
    super(message);
    const error = {
      ...(cause === undefined ? {} : { cause }),
      ...(code ? { code } : {}),
      message,
      requestId: newId(9),
    };
    this.answer = { status, body: { error, meta: { apiEnrollmentVersion: '0.0.1', apiVersion: '0.0.1' } } };
  }
}

const unhandled = (message: string): unknown => ({ code: 'UNHANDLED', message });
const INVALID_DOCUMENT =
  'The supplied request contains an invalid document or no valid accept content were available, see cause';

export const notFound = (what: string): ApiError =>
  new ApiError(404, 'NOT_FOUND', 'The resource requested was not found or is no longer available', unhandled(what));
export const unauthorized = (cause?: string): ApiError =>
  new ApiError(
    401,
    'UNAUTHORIZED',
    'The request could not be completed. The session is not authorized or the credentials are invalid',
    cause === undefined ? undefined : unhandled(cause),
  );
export const invalidAuth = (): ApiError => new ApiError(401, 'INVALID_AUTH', 'The authentication request failed');
export const invalidField = (field: string, reason: string, value: unknown, status = 400): ApiError =>
  new ApiError(status, 'COULD_NOT_VALIDATE', INVALID_DOCUMENT, { field, reason, value });
export const unreadable = (why: string): ApiError =>
  new ApiError(400, 'COULD_NOT_PARSE_BODY', 'The body of the request could not be parsed', unhandled(why));
export const noRouters = (): ApiError =>
  new ApiError(
    400,
    'NO_EDGE_ROUTERS_AVAILABLE',
    'No edge routers are assigned and online to handle the requested connection',
  );
export const badToken = (): ApiError =>
  new ApiError(400, 'INVALID_ENROLLMENT_TOKEN', 'The supplied token is not valid');
export const enrollmentExpired = (): ApiError =>
  new ApiError(400, 'ENROLLMENT_EXPIRED', 'The enrollment has expired and is no longer valid');
export const badRequest = (why: string): ApiError =>
  new ApiError(400, 'COULD_NOT_PROCESS_CSR', 'The supplied csr could not be processed', unhandled(why));

export function ok(data: unknown, meta: unknown = {}, status = 200): Answer {
  return { status, body: { data, meta } };
}

/** One page of a list; `limit` is 10 when nobody asks. */
export function page(items: readonly unknown[], query: URLSearchParams): Answer {
  const limit = Number(query.get('limit') ?? 10);
  const offset = Number(query.get('offset') ?? 0);
  const pagination = { limit, offset, totalCount: items.length };
  return ok(items.slice(offset, offset + limit), { filterableFields: ['id', 'name'], pagination });
}
