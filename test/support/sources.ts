import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import ts from 'typescript'

/** A source file as the rules of the house see it. Paths are relative to the repository, with `/`. */
export interface SourceFile {
  readonly path: string
  readonly text: string
  readonly lines: number
  /** Files of this repository that it names, type imports included. */
  readonly imports: readonly string[]
}

/** Every TypeScript file below a directory of the repository. */
export function sourcesBelow(directory: string): SourceFile[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .sort()
    .map((name) => readSource(join(directory, name)))
}

function readSource(path: string): SourceFile {
  const text = readFileSync(path, 'utf8')
  const imports = ts
    .preProcessFile(text)
    .importedFiles.map(({ fileName }) => fileName)
    .filter((name) => name.startsWith('.'))
    .map((name) => join(dirname(path), name).replace(/\.js$/, '.ts'))
  return { path, text, lines: text.trimEnd().split('\n').length, imports }
}

/** Circles of files that import each other, each once, as the way round. */
export function cyclesAmong(files: readonly SourceFile[]): string[] {
  const importsOf = new Map(files.map(({ path, imports }) => [path, imports]))
  const finished = new Set<string>()
  const cycles: string[] = []
  const visit = (path: string, way: readonly string[]): void => {
    const start = way.indexOf(path)
    if (start >= 0) cycles.push([...way.slice(start), path].join(' → '))
    if (start >= 0 || finished.has(path)) return
    for (const next of importsOf.get(path) ?? []) visit(next, [...way, path])
    finished.add(path)
  }
  for (const { path } of files) visit(path, [])
  return cycles
}
