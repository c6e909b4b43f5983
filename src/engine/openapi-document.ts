import { EngineModule } from './engine.module.js'
import { generateDocument } from './platform/openapi-generation.js'

/** What `openapi.json` must say. The swagger plugin reads types at `nest build`: only dist generates the whole of it. */
export const buildOpenApiDocument = (): Promise<object> => generateDocument(EngineModule)
