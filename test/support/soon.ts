/** What has to happen within a second, on a machine that others use as well: an upper bound for tests, in milliseconds. */
export const A_SECOND = 8_000
