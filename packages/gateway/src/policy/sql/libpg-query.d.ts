// The module that emscripten made of PostgreSQL's parser: the package types only its wrapper. What it has: ./parser.ts.

declare module 'libpg-query/wasm/libpg-query.js' {
  /** `locateFile`: the path of the wasm. */
  const make: (options: { locateFile(): string }) => Promise<object>;
  export = make;
}
