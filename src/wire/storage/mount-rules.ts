import { flag, type OptionRule } from './scheme-rules.js'

/** What any filesystem takes that is mounted; each is a word of `mount -o`. */
export const mountRules = {
  ro: flag,
  noatime: flag,
  nodiratime: flag,
  relatime: flag,
  nosuid: flag,
  nodev: flag,
  noexec: flag,
  sync: flag,
  dirsync: flag,
} as const satisfies Readonly<Record<string, OptionRule>>
