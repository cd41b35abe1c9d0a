// The browser's storage for the person's settings and drafts. Without storage, nothing is kept.
const PREFIX = "aster.";

export function kept(key: string): string | null {
  try {
    return localStorage.getItem(PREFIX + key);
  } catch {
    return null;
  }
}

/** Empty or null removes it. False: there was no room, or there is no storage. */
export function keep(key: string, value: string | null): boolean {
  try {
    if (value === null || value === "") localStorage.removeItem(PREFIX + key);
    else localStorage.setItem(PREFIX + key, value);
    return true;
  } catch {
    return false;
  }
}

export function keptJson<T>(key: string, otherwise: T): T {
  const text = kept(key);
  if (text === null) return otherwise;
  try {
    return JSON.parse(text) as T;
  } catch {
    return otherwise;
  }
}
