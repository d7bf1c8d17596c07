// Who wants to hear of which resource of a shared server. The server is asked once for each, by the first, and told by
// the last that nobody wants to know any more.

export class Subscriptions<Client> {
  readonly #byUri = new Map<string, Set<Client>>();

  has(uri: string): boolean {
    return this.#byUri.has(uri);
  }

  add(uri: string, client: Client): void {
    const clients = this.#byUri.get(uri) ?? new Set();
    clients.add(client);
    this.#byUri.set(uri, clients);
  }

  /** true: nobody else wants it. */
  delete(uri: string, client: Client): boolean {
    const clients = this.#byUri.get(uri);
    if (clients?.delete(client) !== true || clients.size > 0) return false;
    this.#byUri.delete(uri);
    return true;
  }

  /** What only this client wanted; it is gone. */
  leave(client: Client): string[] {
    return [...this.#byUri].flatMap(([uri, clients]) => (clients.has(client) && this.delete(uri, client) ? [uri] : []));
  }

  /** Those of the resource itself, and of one that it is a part of (MCP: an update may name a sub-resource). */
  concerned(uri: string): ReadonlySet<Client> {
    const exact = this.#byUri.get(uri);
    if (exact) return exact;
    const wider = [...this.#byUri].filter(([subscribed]) => uri.startsWith(subscribed));
    return new Set(wider.flatMap(([, clients]) => [...clients]));
  }
}
