// What a zrok controller may cost us. It is a stranger's program: size and time of every answer are bounded.

/** A listing of 10,000 shares has about 3 MiB. */
export const MAX_ANSWER_BYTES = 8 * 1024 * 1024;
/** A controller on sqlite answers one request at a time, each with several calls to OpenZiti. */
export const CALL_MS = 45_000;
/** The controller makes an RSA-4096 key and enrolls it. */
export const ENABLE_MS = 120_000;
/** At the end of a program: what is not removed by then is left to the next sweep. */
export const PARTING_MS = 3_000;
/** How much of an answer's text an error shows. */
export const SHOWN_CHARS = 200;
