// Masks secrets in the daemon's output: known values, and text that looks like a secret.

const MASK = "[secret]";
/** Shorter values are not masked: they occur in ordinary text. */
const SHORTEST = 8;
const NAMES = /KEY|TOKEN|SECRET|PASSW|PASSPHRASE|CREDENTIAL|AUTH|COOKIE|PRIVATE/i;
const LOOKS = [
  /\b(?:sk|pk|rk|sess|key)-[A-Za-z0-9_-]{12,}/g,
  /\b(?:gh[pousr]_|github_pat_|glpat-|xox[abeoprs]-|hf_|AIza)[A-Za-z0-9_.-]{10,}/g,
  /\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*/g,
  /\b(?:bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}/gi,
];

export class Redaction {
  readonly #known = new Set<string>();

  learn(...secrets: string[]): void {
    for (const secret of secrets) {
      if (secret.length < SHORTEST) continue;
      this.#known.add(secret).add(encodeURIComponent(secret)).add(JSON.stringify(secret).slice(1, -1));
    }
  }

  /** Learns the values of variables whose names say that they are secret. */
  learnFrom(environment: Record<string, string | undefined>): void {
    for (const [name, value] of Object.entries(environment)) if (value && NAMES.test(name)) this.learn(value);
  }

  /** Stops masking a value, such as the token of a daemon that has ended. */
  forget(secret: string): void {
    this.#known.delete(secret);
  }

  clean(text: string): string {
    let clean = text;
    for (const secret of [...this.#known].sort((one, other) => other.length - one.length))
      clean = clean.split(secret).join(MASK);
    for (const look of LOOKS) clean = clean.replace(look, MASK);
    return clean;
  }
}
