/** Any plain value for the eye: one line per leaf, indented by depth. */
export function formatTree(value: unknown, indent = ''): string {
  if (value === null || value === undefined) return `${indent}-`
  if (typeof value !== 'object') return indent + (typeof value === 'string' ? value : JSON.stringify(value))
  const entries = Object.entries(value)
  if (entries.length === 0) return `${indent}(none)`
  return entries.map(([name, child]) => branch(Array.isArray(value) ? '-' : name, child, indent)).join('\n')
}

function branch(name: string, child: unknown, indent: string): string {
  const leaf = typeof child !== 'object' || child === null || Object.keys(child).length === 0
  const label = name === '-' ? `${indent}-` : `${indent}${name}:`
  return leaf ? `${label} ${formatTree(child)}` : `${label}\n${formatTree(child, `${indent}  `)}`
}
