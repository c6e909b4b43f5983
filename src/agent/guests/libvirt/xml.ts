const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  "'": '&apos;',
  '"': '&quot;',
}

/** As it stands in an attribute or a text of XML. What XML cannot hold at all is left out. */
export const escaped = (text: string): string =>
  text
    .replace(/[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu, '')
    .replace(/[&<>'"]/g, (one) => entities[one]!)

const values: Readonly<Record<string, string>> = Object.fromEntries(Object.entries(entities).map(([a, b]) => [b, a]))

/** What was escaped so. */
export const unescaped = (text: string): string => text.replace(/&(?:amp|lt|gt|apos|quot);/g, (one) => values[one]!)
