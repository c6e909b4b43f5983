/** What a default may depend on: handed in, so that a test can be anybody anywhere. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly uid: number
  readonly hostname: string
}

/** One thing that a program can be told. */
export interface Key<T> {
  readonly env: string
  /** In an operator's words, one line. */
  readonly meaning: string
  readonly expects: string
  /** Undefined when the text is not what is expected. */
  readonly parse: (text: string) => T | undefined
  /** Absent: the key is required. */
  readonly fallback?: (surroundings: Surroundings) => T
  /** How the default reads, where its value depends on other keys. */
  readonly fallbackText?: string
  readonly show: (value: T) => string
  /** Holds a secret: it has no command line flag, and no fault repeats it. */
  readonly secret?: boolean
}

/** A program's configuration as the table that it is read by: a field without a key does not compile. */
export type Keys<C> = { readonly [K in keyof C]: Key<C[K]> }

/** httpBodyLimitBytes → --http-body-limit-bytes */
export function flagOf(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
}
