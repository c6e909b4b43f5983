import { IsBoolean, IsInt, IsIP, IsOptional, IsString, Length, Matches, Max, Min } from 'class-validator'

/** What the kernel takes as the name of an interface. */
export const INTERFACE_NAME = /^(?!\.{1,2}$)[a-zA-Z0-9_.-]{1,15}$/

/** Address and prefix length: `192.0.2.0/24`, `2001:db8::/64`. */
export const CIDR = /^[0-9a-fA-F:.]{2,45}\/\d{1,3}$/

/** A network as a host needs it for something that has an address there. */
export class NetworkIntent {
  @IsString() @Length(1, 64) id!: string
  @Matches(CIDR) cidr!: string
  @IsOptional() @IsIP() gateway!: string | null
  /** Null: addresses of this network are the host's own, and what listens on one is in no namespace. */
  @IsOptional() @Matches(INTERFACE_NAME) bridge!: string | null
  /** The agent makes the bridge where it is missing, and removes it when the last thing on it has gone. */
  @IsBoolean() createBridge!: boolean
  /** The interface of the host that a bridge of the agent's making gets; null: none. */
  @IsOptional() @Matches(INTERFACE_NAME) uplink!: string | null
  /** The VLAN of the uplink. */
  @IsOptional() @IsInt() @Min(1) @Max(4094) vlan!: number | null
  /** A bridge of the agent's making has the gateway's address: for a network that lives on one host. */
  @IsBoolean() hostIsGateway!: boolean
}
