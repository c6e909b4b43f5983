/** Something that a test opens when it is time. */
export class Gate {
  open!: () => void
  readonly passed = new Promise<void>((resolve) => {
    this.open = resolve
  })
}
