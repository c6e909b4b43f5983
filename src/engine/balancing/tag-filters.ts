import type { SelectQueryBuilder } from 'typeorm'
import type { BalancingQuery } from './balancing-part.dto.js'
import type { BalancingPart } from './balancing-part.js'

/** `tags`: all of them; `tagsAny`: one of them. */
export function withTags<R extends BalancingPart>(
  rows: SelectQueryBuilder<R>,
  { tags, tagsAny }: Pick<BalancingQuery, 'tags' | 'tagsAny'>,
): void {
  if (tags) rows.andWhere('row.tags @> CAST(:tags AS text[])', { tags })
  if (tagsAny) rows.andWhere('row.tags && CAST(:tagsAny AS text[])', { tagsAny })
}
