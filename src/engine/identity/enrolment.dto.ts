import { IsString, Matches, MaxLength } from 'class-validator'
import { type Enrolled, MAX_REQUEST_CHARS } from '../../wire/enrolment.js'
import { MAX_JOIN_TOKEN_CHARS } from '../../wire/join-token.js'
import { HOST_NAME } from '../../wire/session.js'

export class EnrolmentCreate {
  /**
   * A join token.
   * @example kjt_eyJpZCI6IjZmMWY1YTUyLTlmMGUtNGM5YS04YTUzLTNiNmY1ZjBmMmExMSJ9
   */
  @IsString()
  @MaxLength(MAX_JOIN_TOKEN_CHARS)
  token!: string

  /**
   * What the host is to be called.
   * @example h1
   */
  @Matches(HOST_NAME)
  name!: string

  /**
   * PKCS #10 in PEM, of an EC key (P-256, P-384) or an Ed25519 one, signed with it. Its subject is not looked at.
   * @example -----BEGIN CERTIFICATE REQUEST-----
   */
  @IsString()
  @MaxLength(MAX_REQUEST_CHARS)
  csr!: string
}

export class EnrolledView implements Enrolled {
  /** @example 0b7f3c8e-6f43-4a2e-9d0f-0c0e5a1f9f11 */
  hostId!: string
  /** @example h1 */
  name!: string
  /**
   * The host's certificate in PEM, for the transport.
   * @example -----BEGIN CERTIFICATE-----
   */
  certificate!: string
  /**
   * Every certificate authority of the plane in PEM: the transport's replicas are known by them.
   * @example ["-----BEGIN CERTIFICATE-----"]
   */
  authorities!: string[]
  /**
   * Where hosts dial.
   * @example ["10.0.0.5:8081"]
   */
  engines!: string[]
}

export const viewEnrolled = ({ authorities, engines, ...rest }: Enrolled): EnrolledView => ({
  ...rest,
  authorities: [...authorities],
  engines: [...engines],
})
