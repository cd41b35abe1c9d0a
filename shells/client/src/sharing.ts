// Structural sharing: a change copies the values on its path, once between two publications.

/** The copies of one publication: values that are already copied are changed in place. */
export class Copies {
  #own = new WeakSet();

  /** The value, or a copy of it that may be changed. */
  of<T extends object>(value: T): T {
    if (this.#own.has(value)) return value;
    return this.own((Array.isArray(value) ? value.slice() : { ...value }) as T);
  }

  /** The value at a key of a copy, as a copy. */
  at<T extends object, K extends keyof T>(parent: T, key: K): T[K] & object {
    const copy = this.of(parent[key] as T[K] & object);
    parent[key] = copy;
    return copy;
  }

  /** Marks a value that is used nowhere else, so that it is changed in place. */
  own<T extends object>(value: T): T {
    this.#own.add(value);
    return value;
  }

  /** From now on, values are copied again before they are changed. */
  publish(): void {
    this.#own = new WeakSet();
  }
}

/** `next`, with the equal parts of `previous` in it: values that did not change keep their identity. */
export function reconcile<T>(previous: unknown, next: T): T {
  if (Object.is(previous, next)) return next;
  if (typeof previous !== "object" || typeof next !== "object" || previous === null || next === null) return next;
  if (Array.isArray(previous) !== Array.isArray(next) || next instanceof Error) return next;
  const before = previous as Record<string, unknown>;
  const after = next as Record<string, unknown>;
  const keys = Object.keys(after);
  let same = keys.length === Object.keys(before).length;
  const made: Record<string, unknown> = {};
  for (const key of keys) {
    made[key] = Object.hasOwn(before, key) ? reconcile(before[key], after[key]) : after[key];
    if (!Object.hasOwn(before, key) || made[key] !== before[key]) same = false;
  }
  if (same) return previous as T;
  return (Array.isArray(next) ? keys.map((key) => made[key]) : made) as T;
}
