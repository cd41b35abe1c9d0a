//! Splits the bytes of a pipe into lines of limited length, in bounded memory.

use std::borrow::Cow;

pub(crate) const LINE_BYTES: usize = 8 * 1024;
const MARK: &str = " […]";

/// Collects chunks. Invalid UTF-8 is replaced; longer lines are cut.
pub(crate) struct Lines {
    most: usize,
    kept: Vec<u8>,
    cut: bool,
}

impl Default for Lines {
    fn default() -> Self {
        Self::new(LINE_BYTES)
    }
}

impl Lines {
    pub(crate) fn new(most: usize) -> Self {
        Self { most, kept: Vec::new(), cut: false }
    }

    /// Adds a chunk. Passes every complete line to `take`, without its line end.
    pub(crate) fn push(&mut self, chunk: &[u8], mut take: impl FnMut(String)) {
        let mut rest = chunk;
        while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
            self.keep(&rest[..end]);
            take(self.line());
            rest = &rest[end + 1..];
        }
        self.keep(rest);
    }

    /// The last line, if it has no line end.
    pub(crate) fn end(&mut self) -> Option<String> {
        (!self.kept.is_empty()).then(|| self.line())
    }

    fn keep(&mut self, piece: &[u8]) {
        let room = self.most - self.kept.len();
        self.cut |= piece.len() > room;
        self.kept.extend_from_slice(&piece[..piece.len().min(room)]);
    }

    fn line(&mut self) -> String {
        let text = String::from_utf8_lossy(&self.kept);
        let text = text.strip_suffix('\r').map_or(text.clone(), |line| Cow::Owned(line.to_owned()));
        let line = if self.cut {
            format!("{}{MARK}", text.strip_suffix('\u{FFFD}').unwrap_or(&text))
        } else {
            text.into_owned()
        };
        self.kept.clear();
        self.cut = false;
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(chunks: &[&[u8]]) -> Vec<String> {
        let mut found = Vec::new();
        let mut lines = Lines::new(10);
        for chunk in chunks {
            lines.push(chunk, |line| found.push(line));
        }
        found.extend(lines.end());
        found
    }

    #[test]
    fn they_come_whole_whatever_pieces_they_come_in() {
        assert_eq!(read(&[b"on", b"e\ntw", b"o\r\n", b"\nlast"]), ["one", "two", "", "last"]);
        assert_eq!(read(&[&"ü".as_bytes()[..1], &"ü".as_bytes()[1..], b"\n"]), ["ü"]);
    }

    #[test]
    fn they_are_cut_and_not_in_the_middle_of_a_character() {
        assert_eq!(read(&[b"0123456789abc\nnext\n"]), ["0123456789 […]", "next"]);
        assert_eq!(read(&["012345678ü\n".as_bytes()]), ["012345678 […]"]);
    }

    #[test]
    fn what_is_not_utf_8_is_replaced() {
        assert_eq!(read(&[&[0xff, 0x41, 0x0a]]), ["\u{FFFD}A"]);
    }
}
