import { Type } from 'class-transformer'
import {
  ArrayMaxSize,
  ArrayMinSize,
  IsArray,
  IsBoolean,
  IsInt,
  IsIP,
  IsUUID,
  Matches,
  Max,
  Min,
  ValidateIf,
  ValidateNested,
} from 'class-validator'
import { CIDR, INTERFACE_NAME } from '../../wire/networks.js'
import { Filter, PageQuery } from '../platform/pages.js'

const NAME = /^[^\p{Cc}]{1,128}$/u
const NAME_FAULT = { message: 'name must have 1 to 128 characters, none of them a control character' }
const DESCRIPTION = /^[^\p{Cc}]{0,500}$/u
const MAX_RANGES = 100
const CIDR_FAULT = { message: 'cidr must be a network: 192.0.2.0/24, 2001:db8::/64' }
const INTERFACE_FAULT = { message: '$property must be the name of an interface: up to 15 letters, digits, . _ -' }

export class AddressRangeInput {
  /** @example 192.0.2.100 */
  @IsIP()
  from!: string

  /**
   * The last one that is in it.
   * @example 192.0.2.199
   */
  @IsIP()
  to!: string
}

export class NetworkCreate {
  /**
   * The project whose things alone may have addresses of it, for good. Left out or null: those of every project.
   * @example null
   */
  @ValidateIf((network: NetworkCreate) => network.projectId != null)
  @IsUUID()
  projectId?: string | null

  /**
   * Unique in its project, or among those of no project.
   * @example public
   */
  @Matches(NAME, NAME_FAULT)
  name!: string

  /**
   * What it is for, for the colleagues.
   * @example What the internet reaches
   */
  @ValidateIf((network: NetworkCreate) => network.description !== undefined)
  @Matches(DESCRIPTION)
  description?: string

  /**
   * IPv4 or IPv6, for good. Bits beyond the prefix are let go.
   * @example 192.0.2.0/24
   */
  @Matches(CIDR, CIDR_FAULT)
  cidr!: string

  /**
   * What has an address of the network on a bridge sends everything else there.
   * @example 192.0.2.1
   */
  @ValidateIf((network: NetworkCreate) => network.gateway != null)
  @IsIP()
  gateway?: string | null

  /**
   * Where addresses are taken from that nobody asks for by name: 65,536 at most. Left out: all that the network has. The network's own,
   * the broadcast and the gateway are given to nothing.
   */
  @ValidateIf((network: NetworkCreate) => network.ranges !== undefined)
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(MAX_RANGES)
  @ValidateNested({ each: true })
  @Type(() => AddressRangeInput)
  ranges?: AddressRangeInput[]

  /**
   * The bridge on every host that leads to the network. Left out or null: its addresses are the hosts' own.
   * @example br-public
   */
  @ValidateIf((network: NetworkCreate) => network.bridge != null)
  @Matches(INTERFACE_NAME, INTERFACE_FAULT)
  bridge?: string | null

  /**
   * Agents make the bridge where it is missing, and remove it when the last thing on it has gone.
   * @example true
   */
  @ValidateIf((network: NetworkCreate) => network.createBridge !== undefined)
  @IsBoolean()
  createBridge?: boolean

  /**
   * The interface of hosts that a bridge of their agents' making gets.
   * @example eth1
   */
  @ValidateIf((network: NetworkCreate) => network.uplink != null)
  @Matches(INTERFACE_NAME, INTERFACE_FAULT)
  uplink?: string | null

  /**
   * The VLAN of the uplink.
   * @example 120
   */
  @ValidateIf((network: NetworkCreate) => network.vlan != null)
  @IsInt()
  @Min(1)
  @Max(4094)
  vlan?: number | null

  /**
   * A bridge of an agent's making has the address of the gateway: for a network that lives on one host.
   * @example false
   */
  @ValidateIf((network: NetworkCreate) => network.hostIsGateway !== undefined)
  @IsBoolean()
  hostIsGateway?: boolean
}

/** What is left out stays. */
export class NetworkUpdate {
  /** @example public */
  @ValidateIf((network: NetworkUpdate) => network.name !== undefined)
  @Matches(NAME, NAME_FAULT)
  name?: string

  /** @example What the internet reaches */
  @ValidateIf((network: NetworkUpdate) => network.description !== undefined)
  @Matches(DESCRIPTION)
  description?: string

  /**
   * Only while nothing has an address of it: whatever has one was told of the gateway that there was.
   * @example 192.0.2.1
   */
  @ValidateIf((network: NetworkUpdate) => network.gateway != null)
  @IsIP()
  gateway?: string | null

  /** Replaces all ranges. Addresses beyond them stay with whoever has them. */
  @ValidateIf((network: NetworkUpdate) => network.ranges !== undefined)
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(MAX_RANGES)
  @ValidateNested({ each: true })
  @Type(() => AddressRangeInput)
  ranges?: AddressRangeInput[]
}

export class NetworkQuery extends PageQuery {
  @Filter({ format: 'uuid', description: 'Networks of these projects.' }) projectId?: string[]
  @Filter({ description: 'Networks of these names.' }) name?: string[]
  @Filter({ description: 'Networks behind these bridges.' }) bridge?: string[]
}

export const addressStates = ['free', 'held'] as const

export class NetworkAddressQuery extends PageQuery {
  @Filter({ enum: addressStates, description: 'Only those that are free, or had by somebody.' })
  state?: (typeof addressStates)[number][]
}
