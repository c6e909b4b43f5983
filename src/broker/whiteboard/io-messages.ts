/** What a broker asks of the process that touches the whiteboard; Maps and Buffers travel as they are. */
export type IoAsk =
  | { readonly ask: 'read' }
  | { readonly ask: 'write'; readonly blocks: ReadonlyMap<number, Uint8Array> }

export type IoAnswer =
  | { readonly changed: ReadonlyMap<number, Uint8Array> }
  | { readonly written: true }
  /** The system's own words. */
  | { readonly failed: string }
