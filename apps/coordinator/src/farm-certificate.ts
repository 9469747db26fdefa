/** What the coordinator shows to whoever connects; plain values, made before the application starts. */
export class FarmCertificate {
  constructor(
    /** PEM of the certificate with its chain, and of its key; `null` without TLS. */
    readonly server: { readonly certificate: string; readonly key: string } | null,
    /** `sha256:<hex>` of the farm's own CA; `null` without TLS or with a certificate that was given. */
    readonly caFingerprint: string | null,
  ) {}
}
