/** A column whose values are sealed, in the place `<table>.<column>/<id>`. */
export interface SealedColumn {
  readonly table: string
  readonly column: string
  /** The columns of the id; the place has their values with `/` between. */
  readonly id: readonly string[]
}

/**
 * Every column that `Sealer.seal` writes to: what a rotation seals anew. A test holds it against the migrations and the
 * calls. Not here: `sealing_checks.sealed`, where each value belongs to its key.
 */
export const sealedColumns: readonly SealedColumn[] = []

export const sealedPlace = ({ table, column }: Pick<SealedColumn, 'table' | 'column'>, id: readonly string[]): string =>
  `${table}.${column}/${id.join('/')}`
