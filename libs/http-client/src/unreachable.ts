/** No answer came, or it broke off: nobody listens, the name is unknown, the certificate is not to be trusted, silence, a reset. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable';
  readonly code = 'UNREACHABLE';
  constructor(
    message: string,
    readonly hint: string | null,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

interface Reason {
  readonly words: string;
  readonly hint: string;
}

const IS_IT_RUNNING = 'Is the coordinator running, and is this its address?';
const WHICH_CA =
  'A farm with its own certificate authority needs that certificate: give it as the CA to trust, or enrol with its fingerprint.';
const CLOCK = 'Is the clock of this host right? A coordinator renews its certificate when it starts.';

/** By `code` of Node's and OpenSSL's errors. */
const REASONS: Readonly<Record<string, Reason>> = {
  ECONNREFUSED: { words: 'connection refused', hint: IS_IT_RUNNING },
  ENOENT: { words: 'there is no such socket', hint: IS_IT_RUNNING },
  EACCES: {
    words: 'no right to use the socket',
    hint: 'Run as the user of the coordinator, or use its HTTPS address.',
  },
  ENOTFOUND: { words: 'the name is unknown', hint: 'Check the host name.' },
  EAI_AGAIN: { words: 'the name server does not answer', hint: 'Check the network of this host.' },
  EHOSTUNREACH: { words: 'no route to the host', hint: 'Check the network of this host.' },
  ENETUNREACH: { words: 'no route to the network', hint: 'Check the network of this host.' },
  ETIMEDOUT: { words: 'no answer to the connection request', hint: 'Check the address and the firewall.' },
  ECONNRESET: { words: 'the connection was reset', hint: 'Try again; see the log of the coordinator.' },
  EPIPE: { words: 'the connection was closed', hint: 'Try again; see the log of the coordinator.' },
  CERT_HAS_EXPIRED: { words: 'its certificate has expired', hint: CLOCK },
  CERT_NOT_YET_VALID: { words: 'its certificate is not valid yet', hint: CLOCK },
  DEPTH_ZERO_SELF_SIGNED_CERT: { words: 'its certificate is self-signed and not trusted', hint: WHICH_CA },
  SELF_SIGNED_CERT_IN_CHAIN: {
    words: 'its certificate comes from a certificate authority that is not trusted',
    hint: WHICH_CA,
  },
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: {
    words: 'the certificate authority of its certificate is unknown',
    hint: WHICH_CA,
  },
  UNABLE_TO_GET_ISSUER_CERT: {
    words: 'the certificate authority of its certificate is unknown',
    hint: WHICH_CA,
  },
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: {
    words: 'the certificate authority of its certificate is unknown',
    hint: WHICH_CA,
  },
  CERT_SIGNATURE_FAILURE: {
    words: 'its certificate is not signed by the trusted certificate authority',
    hint: WHICH_CA,
  },
  INVALID_PURPOSE: { words: 'its certificate is not meant for a server', hint: WHICH_CA },
  EPROTO: { words: 'it does not speak TLS', hint: 'Is it an http:// address?' },
  ERR_SSL_WRONG_VERSION_NUMBER: { words: 'it does not speak TLS', hint: 'Is it an http:// address?' },
};

/** In words, what Node says by a code. `where` names the other side. */
export function unreachableBy(error: Error, where: string): Unreachable {
  if (error instanceof Unreachable) return error;
  const { words, hint } = reasonOf(error);
  return new Unreachable(`cannot reach ${where}: ${words}`, hint, { cause: error });
}

function reasonOf(error: Error): Reason {
  const code = codeOf(error);
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    const { host, cert } = error as { host?: string; cert?: { subjectaltname?: string } };
    return {
      words: `its certificate is for ${cert?.subjectaltname ?? 'no name'}, not for ${host ?? 'this address'}`,
      hint: 'Use a name that the certificate has, or add this one to the names of the coordinator.',
    };
  }
  if (code.startsWith('HPE_')) {
    return { words: 'it does not speak HTTP', hint: 'Is it an https:// address, or another server?' };
  }
  return REASONS[code] ?? { words: error.message, hint: IS_IT_RUNNING };
}

/** A host with several addresses gives an AggregateError: the first one's reason is as good as any. */
function codeOf(error: Error): string {
  const { code } = error as NodeJS.ErrnoException;
  if (typeof code === 'string') return code;
  const [first] = error instanceof AggregateError ? (error.errors as unknown[]) : [];
  return first instanceof Error ? codeOf(first) : '';
}
