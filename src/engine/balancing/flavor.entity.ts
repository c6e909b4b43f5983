import { Column, Entity, ForeignKey, Index, PrimaryGeneratedColumn } from 'typeorm'

/** What operators offer under a name: a provider, and what it is told. */
export abstract class OfferedProfile {
  @PrimaryGeneratedColumn('uuid') id!: string
  @Column('text') name!: string
  @Column('text') provider!: string
  /** JSON as it was given. */
  @Column('jsonb', { default: {} }) content!: Readonly<Record<string, unknown>>
  @Column('timestamptz', { default: () => 'now()' }) createdAt!: Date
}

@Entity('flavor_profiles')
export class FlavorProfile extends OfferedProfile {}

@Entity('availability_zone_profiles')
export class AvailabilityZoneProfile extends OfferedProfile {}

export abstract class Offered {
  @PrimaryGeneratedColumn('uuid') id!: string
  @Column('text') name!: string
  @Column('text', { default: '' }) description!: string
  @Column('boolean', { default: true }) enabled!: boolean
  @Column('timestamptz', { default: () => 'now()' }) createdAt!: Date
}

@Entity('flavors')
@Index('uq_flavors_name', ['name'], { unique: true })
export class Flavor extends Offered {
  @Column('uuid')
  @ForeignKey('FlavorProfile', 'id', { name: 'fk_flavors_profile_id' })
  profileId!: string
}

@Entity('availability_zones')
@Index('uq_availability_zones_name', ['name'], { unique: true })
export class AvailabilityZone extends Offered {
  @Column('uuid')
  @ForeignKey('AvailabilityZoneProfile', 'id', { name: 'fk_availability_zones_profile_id' })
  profileId!: string
}
