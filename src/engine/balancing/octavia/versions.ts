/** What this speaks, as Octavia's own version documents say it. */
export const versionsAt = (origin: string) => ({
  versions: [
    {
      id: 'v2.0',
      status: 'CURRENT',
      updated: '2016-12-11T00:00:00Z',
      links: [{ rel: 'self', href: `${origin}/v2.0` }],
    },
  ],
})
