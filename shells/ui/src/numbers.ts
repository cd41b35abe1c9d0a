// Parses numbers as people write them.

const UNITS: Record<string, number> = { k: 1e3, m: 1e6 };
const SECONDS: Record<string, number> = { s: 1, sec: 1, min: 60, h: 3600, hour: 3600, hours: 3600, d: 86_400 };

/**
 * The number in a text such as `1,000`, `1 000`, `1.5`, `20k`, and for seconds also `10 min` or `2 h`. Null if the text
 * is not a number or is ambiguous: `1,000` is a thousand in one country and one in another.
 */
export function numberOf(text: string, unit: "count" | "seconds", decimal = decimalSign()): number | null {
  const plain = text
    .normalize("NFKC")
    .replace(/\p{Nd}/gu, digit)
    .trim()
    .toLowerCase();
  const parts = /^([-−]?)(\d[\d.,'’_\s]*?)\s*([a-z]*)$/u.exec(plain);
  if (!parts) return null;
  const [, sign = "", figures = "", word = ""] = parts;
  const factor = word === "" ? 1 : (unit === "seconds" ? SECONDS : UNITS)[word];
  const value = figure(figures, decimal);
  if (factor === undefined || value === null) return null;
  const number = Number((value * factor * (sign === "" ? 1 : -1)).toPrecision(15));
  return Number.isFinite(number) ? number : null;
}

function figure(text: string, decimal: string): number | null {
  if (/^\d+$/.test(text)) return Number(text);
  const grouped = /^[1-9]\d{0,2}([.,'’_\s])\d{3}(?:\1\d{3})*(?:([.,])\d+)?$/u.exec(text);
  if (grouped) {
    const [, sign = "", point] = grouped;
    const once = text.split(sign).length === 2 && point === undefined;
    if (once && sign === decimal) return null;
    if (point === sign) return null;
    return Number(text.replaceAll(sign, "").replace(",", "."));
  }
  return /^\d+[.,]\d+$/.test(text) ? Number(text.replace(",", ".")) : null;
}

/** The ASCII digit for a digit in any script: in Unicode the ten digits of a script are consecutive, zero first. */
function digit(one: string): string {
  let zero = one.codePointAt(0) ?? 0;
  const value = zero;
  while (value - zero < 9 && /\p{Nd}/u.test(String.fromCodePoint(zero - 1))) zero -= 1;
  return String(value - zero);
}

function decimalSign(): string {
  return new Intl.NumberFormat().formatToParts(1.5).find(({ type }) => type === "decimal")?.value ?? ".";
}
