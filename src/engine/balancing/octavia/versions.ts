/** What was added by when, as Octavia counts it. What a provider cannot do is refused by itself, whatever the version. */
const updates: readonly (readonly [id: string, day: string])[] = [
  ['v2.0', '2016-12-11'],
  ['v2.1', '2018-04-20'],
  ['v2.2', '2018-07-31'],
  ['v2.3', '2018-12-18'],
  ['v2.4', '2018-12-19'],
  ['v2.5', '2019-01-21'],
  ['v2.6', '2019-01-25'],
  ['v2.7', '2018-01-25'],
  ['v2.8', '2019-02-12'],
  ['v2.9', '2019-03-04'],
  ['v2.10', '2019-03-05'],
  ['v2.11', '2019-06-24'],
  ['v2.12', '2019-09-11'],
  ['v2.13', '2019-09-13'],
  ['v2.14', '2019-11-10'],
  ['v2.15', '2020-03-10'],
  ['v2.16', '2020-03-15'],
  ['v2.17', '2020-04-29'],
  ['v2.18', '2020-04-29'],
  ['v2.19', '2020-05-12'],
  ['v2.20', '2020-08-02'],
  ['v2.21', '2020-09-03'],
  ['v2.22', '2020-09-04'],
  ['v2.23', '2020-09-07'],
  ['v2.24', '2020-10-15'],
  ['v2.25', '2021-10-02'],
  ['v2.26', '2022-08-29'],
]

/** What this speaks, as Octavia's own version documents say it. */
export const versionsAt = (origin: string) => ({
  versions: updates.map(([id, day], index) => ({
    id,
    status: index === updates.length - 1 ? 'CURRENT' : 'SUPPORTED',
    updated: `${day}T00:00:00Z`,
    links: [{ rel: 'self', href: `${origin}/v2` }],
  })),
})
