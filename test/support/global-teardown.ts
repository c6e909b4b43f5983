/** Ends what `global-setup.ts` began. */
export default function teardown(): void {
  const { clearTestPostgres } = globalThis as { clearTestPostgres?: () => void }
  clearTestPostgres?.()
}
