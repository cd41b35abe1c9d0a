// The parser compared with the standard's rules, with pieces of any size.
import { expect, test } from "vitest";
import { createParser, type Frame } from "../src/index.js";

function parse(...pieces: string[]): Frame[] {
  const frames: Frame[] = [];
  const parser = createParser((frame) => frames.push(frame));
  for (const piece of pieces) parser.push(piece);
  return frames;
}

const message = (data: string, id = "", event = "message"): Frame => ({ event, data, id });

test.each<[string, string, Frame[]]>([
  ["one line", "data: a\n\n", [message("a")]],
  ["several lines", "data: a\ndata:b\ndata\n\n", [message("a\nb\n")]],
  ["only the first space belongs to the field", "data:  a\n\n", [message(" a")]],
  ["a colon in the value", "data: a: b\n\n", [message("a: b")]],
  ["event and id", "id: 7\nevent: done\ndata: {}\n\n", [message("{}", "7", "done")]],
  [
    "an id stays, an event does not",
    "id: 7\nevent: a\ndata: x\n\ndata: y\n\n",
    [message("x", "7", "a"), message("y", "7")],
  ],
  ["an id without data stays too", "id: 7\n\ndata: y\n\n", [message("y", "7")]],
  ["an empty id takes it back", "id: 7\ndata: x\n\nid\ndata: y\n\n", [message("x", "7"), message("y")]],
  ["an id with NUL is none", "id: 7\ndata: x\n\nid: a\0b\ndata: y\n\n", [message("x", "7"), message("y", "7")]],
  ["comments", ": ping\n\n:\ndata: a\n:x\n\n", [message("a")]],
  ["no data, no frame", "event: a\n\nid: 1\n\n", []],
  ["an empty line of data is data", "data\n\n", [message("")]],
  ["fields nobody knows", "retry: 1000\nfoo: bar\nData: no\ndata: a\n\n", [message("a")]],
  ["what has no end is no frame", "data: a\n\ndata: b\n", [message("a")]],
  ["CRLF", "data: a\r\ndata: b\r\n\r\n", [message("a\nb")]],
  ["CR", "data: a\rdata: b\r\r", [message("a\nb")]],
  ["all three", "data: a\r\ndata: b\rdata: c\n\r\n", [message("a\nb\nc")]],
  ["a BOM at the beginning", "\uFEFFdata: a\n\n", [message("a")]],
  ["a BOM anywhere else", "data: a\n\n\uFEFFdata: b\n\n", [message("a")]],
  ["other line breaks of Unicode are text", "data: a\u2028b\u0085c\n\n", [message("a\u2028b\u0085c")]],
  ["text of any language", "data: 🦊 über\n\n", [message("🦊 über")]],
])("%s", (_, text, frames) => {
  expect(parse(text)).toEqual(frames);
  // One UTF-16 code unit at a time, which splits surrogate pairs.
  expect(parse(...Array.from({ length: text.length }, (_, at) => text.charAt(at)))).toEqual(frames);
  for (let at = 0; at <= text.length; at += 1) expect(parse(text.slice(0, at), text.slice(at))).toEqual(frames);
});

test("a frame of many pieces costs what it is long", () => {
  const piece = "x".repeat(64);
  const pieces = Array.from({ length: 50_000 }, () => piece);
  const [frame] = parse("data: ", ...pieces, "\n\n");
  expect(frame?.data.length).toBe(64 * 50_000);
});

test("an id may be as long as a frame", () => {
  const id = "7".repeat(1_000_000);
  const pieces = `id: ${id}\ndata: a\n\ndata: b\n\n`.match(/[^]{1,4096}/g) ?? [];
  expect(parse(...pieces)).toEqual([message("a", id), message("b", id)]);
});
