import { createTwoFilesPatch } from 'diff'

/** Nobody else is served meanwhile: what takes longer is shown as all that goes, and all that comes. */
const COMPARING_MS = 200
const CONTEXT_LINES = 3

/** What would be another in a device's configuration, as a unified diff. Empty: nothing. */
export function configurationDiff(current: string, planned: string): string {
  if (current === planned) return ''
  const files = ['in force', 'planned', current, planned, undefined, undefined] as const
  const patch = createTwoFilesPatch(...files, { context: CONTEXT_LINES, timeout: COMPARING_MS })
  return patch ?? replacing(current, planned)
}

function replacing(current: string, planned: string): string {
  const [old, next] = [linesOf(current), linesOf(planned)]
  const marked = [...old.map((line) => `-${line}`), ...next.map((line) => `+${line}`)]
  return ['--- in force', '+++ planned', `@@ -1,${old.length} +1,${next.length} @@`, ...marked, ''].join('\n')
}

const linesOf = (text: string): string[] => (text === '' ? [] : text.replace(/\n$/, '').split('\n'))
