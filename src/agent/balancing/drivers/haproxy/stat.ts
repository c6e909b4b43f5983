/** A row of `show stat` by the names of its columns. */
export type StatRow = Readonly<Record<string, string>>

/** CSV as HAProxy writes it: the first line names the columns, and what holds a comma stands in quotes. */
export function parseStat(text: string): StatRow[] {
  const [head = '', ...lines] = text.split('\n').filter((line) => line !== '')
  const names = head.replace(/^# /, '').split(',')
  return lines.map((line) => {
    const fields = fieldsOf(line)
    return Object.fromEntries(names.map((name, index) => [name, fields[index] ?? '']))
  })
}

const fieldsOf = (line: string): string[] =>
  [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(
    ([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? '',
  )
