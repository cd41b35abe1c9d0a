import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { python, repository } from "../../client/scripts/python.mjs";
import { fold, placesOf } from "../src/found.js";

/** The daemon's result for the same input. */
function daemon(script: string, input: unknown): unknown {
  const lines = [
    "import json, sys, unicodedata",
    "from aster_sidecar.text.finding import places",
    "from aster_sidecar.text.folding import fold",
  ];
  const code = [...lines, "given = json.load(sys.stdin)", `print(json.dumps(${script}))`].join("\n");
  const done = spawnSync(python, ["-c", code], {
    cwd: repository,
    encoding: "utf8",
    input: JSON.stringify(input),
    maxBuffer: 1 << 27,
  });
  if (done.status !== 0) throw new Error(done.stderr);
  return JSON.parse(done.stdout);
}

const PAIRS: [text: string, query: string][] = [
  ["CAFÉ Straße smørrebrød й ﬁle Ａ हिन्दी", "ø"],
  ["cafe strasse o", "ø"],
  ["Øresund æon", "AEO"],
  ["чай", "чаи"],
  ["ещё", "еще"],
  ["हिन्दी", "ह"],
  ["หนังสือ", "หนงสอ"],
  ["foo\u200bbar \ufeffbaz", "foobar b"],
  ["שָׁלוֹם", "שלום"],
  ["مُحَمَّد", "محمد"],
  ["فى کتابة", "في كتابه"],
  ["ΟΔΥΣΣΕΥΣ ᾳ", "οδυσσευς"],
  ["İstanbul ıstanbul", "ISTANBUL"],
  ["한글 \u1112\u1161\u11ab", "한"],
  ["ｶﾞｶ", "カ"],
  ["ß ẞ ss", "s"],
  ["👩\u200d👩\u200d👧 👩", "👩"],
  ["aaaa", "aa"],
  ["\u0301a", "a"],
  ["nothing", ""],
  ["nothing", "\u200b"],
];

test("words are marked where the daemon finds them", () => {
  const found = daemon("[list(places(text, fold(query))) for text, query in given]", PAIRS) as [number, number][][];
  const units = (text: string, point: number): number => Array.from(text).slice(0, point).join("").length;
  const expected = found.map((places, n) =>
    places.map((place) => place.map((point) => units(PAIRS[n]?.[0] ?? "", point))),
  );
  expect(PAIRS.map(([text, query]) => placesOf(text, query))).toEqual(expected);
});

test("each letter is compared as the daemon compares it", () => {
  const letters: string[] = [];
  for (let point = 0x20; point < 0x2_0000; point++) {
    const letter = String.fromCodePoint(point);
    // Without Cherokee: the daemon compares its capitals, the page its small letters.
    if (/[\p{Cn}\p{Cs}\p{Co}]/u.test(letter) || /\p{Script=Cherokee}/u.test(letter)) continue;
    letters.push(letter, `a${letter}`, `е${letter}`);
  }
  const theirs = daemon(
    // None: letters that the daemon's version of Unicode does not have yet.
    "[fold(text) if unicodedata.category(text[-1]) != 'Cn' else None for text in given]",
    letters,
  ) as (string | null)[];
  const other = letters.filter((letter, n) => theirs[n] !== null && theirs[n] !== fold(letter));
  expect(other).toEqual([]);
});
