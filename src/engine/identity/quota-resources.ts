/** What the number of can be limited for each project. */
export const quotaResources = [
  'guests',
  'vcpus',
  'memoryMiB',
  'loadBalancers',
  'listeners',
  'members',
  'pools',
  'healthMonitors',
  'l7Policies',
  'l7Rules',
  'connections',
] as const
export type QuotaResource = (typeof quotaResources)[number]

/** So many of each at the most; what is not there has no limit. */
export type Limits = Readonly<Partial<Record<QuotaResource, number>>>
