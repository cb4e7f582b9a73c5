/**
 * Whether the run may take its time (VENDETTA_TEST_LONG=true): more rounds of the same, and emulated machines where others have been
 * asked the same. Without, all rungs fit into a quarter of an hour on two cores.
 */
export const isLong = process.env["VENDETTA_TEST_LONG"] === "true";
