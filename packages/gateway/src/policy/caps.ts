// Caps of the rules: what a stranger can size, and what a file can make us compile.

export const POLICY_CAPS = {
  /** Values that arguments may hold where a condition looks at them: one loop over them stays below a millisecond. */
  conditionValues: 2000,
  /** Characters of them together. */
  conditionChars: 64 * 1024,
  /** Of one condition; people write some twenty. */
  conditionNodes: 200,
  /** Mappings and lists of a JSON Schema that stand inside each other (T19). */
  schemaDepth: 32,
  /** Schemas in a schema. */
  schemaParts: 512,
  /** The same, every `$ref` counted as what it stands for: a bomb is small until it is used. */
  schemaExpanded: 10_000,
  /** Values of an argument that a schema may walk: `uniqueItems` compares every pair. */
  schemaValues: 2000,
  /** Names whose rules are remembered, for one set of roles and backend; a stranger can ask for any name. */
  rememberedNames: 4096,
  /** Sets of roles whose rules are remembered. */
  rememberedRoles: 1024,
  /** Callers whose budgets are counted at a time; each is half a kilobyte. Whole ones are forgotten first, then nobody new passes. */
  rememberedCallers: 10_000,
  /** Of daily budgets, over restarts: a file of a few megabytes. */
  rememberedBudgets: 20_000,
} as const;
