import 'reflect-metadata'
import { DataSource } from 'typeorm'
import { dataSourceOptions } from './src/engine/data-source.js'

/** For TypeORM's own command line: `DATABASE_URL=… npx typeorm migration:show -d dist/ormconfig.js`. */
const url = process.env.DATABASE_URL
if (!url) throw new Error('DATABASE_URL must be set')

// the command line answers through its logger
export default new DataSource({
  ...dataSourceOptions(url),
  logger: 'advanced-console',
  logging: ['schema', 'migration'],
})
