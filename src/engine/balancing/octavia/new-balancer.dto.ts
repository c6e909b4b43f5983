import { Type } from 'class-transformer'
import { ArrayMaxSize, IsArray, IsIP, IsOptional, IsString, IsUUID, MaxLength, ValidateNested } from 'class-validator'
import { DescribedInput } from '../balancing-part.dto.js'
import { TreeListener } from '../listener.dto.js'
import { TreePool } from '../pool.dto.js'

/** A balancer with all that is to stand under it, once it is spelled as this plane spells it. */
export class NewOctaviaBalancer extends DescribedInput {
  @IsOptional() @IsUUID() projectId?: string
  @IsOptional() @IsUUID() vipSubnetId?: string
  @IsOptional() @IsUUID() vipNetworkId?: string
  @IsOptional() @IsUUID() vipPortId?: string
  @IsOptional() @IsIP() vipAddress?: string
  @IsOptional() @IsString() @MaxLength(64) provider?: string
  @IsOptional() @IsUUID() flavorId?: string
  @IsOptional() @IsString() @MaxLength(255) availabilityZone?: string

  @IsOptional()
  @IsArray()
  @ArrayMaxSize(100)
  @ValidateNested({ each: true })
  @Type(() => TreeListener)
  listeners?: TreeListener[]

  @IsOptional()
  @IsArray()
  @ArrayMaxSize(200)
  @ValidateNested({ each: true })
  @Type(() => TreePool)
  pools?: TreePool[]
}
